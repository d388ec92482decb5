"""Forms in several parts, in whatever way programs put them together."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.kit.form_bodies import Part, fields
from tests.growth import growth

HEAD = b'Content-Disposition: form-data; name="a"'
WHOLE = b"--X\r\n" + HEAD + b"\r\n\r\n1\r\n--X--\r\n"


def read(body: bytes, boundary: str = "X", most: int = 10) -> list[tuple[str, bytes]]:
    kind = f'multipart/form-data; boundary="{boundary}"'
    return [(part.name, part.content) for part in fields(body, kind, most)]


@pytest.mark.parametrize(
    "body",
    [
        WHOLE,
        WHOLE.replace(b"\r\n", b"\n"),
        WHOLE.removesuffix(b"\r\n"),
        WHOLE + b"--X\r\nfor nobody",
        b"For nobody.\r\n--XY\r\n" + WHOLE,
        b"\r\n" + WHOLE,
        WHOLE.replace(b"--X\r\n", b"--X \t\r\n"),
        WHOLE.replace(b"--X--", b"--X--  "),
        WHOLE.replace(b"data; ", b"data;\r\n "),
        WHOLE.replace(b": ", b":"),
        WHOLE.replace(b"Content", b"content"),
        WHOLE.replace(HEAD, b"X-Odd:\r\n" + HEAD + b"\r\nContent-Length: 1"),
    ],
)
def test_a_form_is_read_however_its_lines_are_written(body: bytes) -> None:
    assert read(body) == [("a", b"1")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"--XY",
        b"a\r\n--XY\r\nb",
        b"a\n--X\nb",
        b"a\r\n--X-\r\nb",
        b"a\r\n--X--b",
        b"\r\r\n\n",
        b"\0\xff",
        b"a\r\n\r\nb",
    ],
)
def test_what_only_looks_like_a_boundary_is_content(content: bytes) -> None:
    assert read(WHOLE.replace(b"\r\n1\r\n", b"\r\n" + content + b"\r\n")) == [("a", content)]


@pytest.mark.parametrize("boundary", ["a b:=?", "z" * 70, "z" * 200, "----Web.Kit", "'()+_,-./:=?"])
def test_a_boundary_may_be_any(boundary: str) -> None:
    body = WHOLE.replace(b"--X", b"--" + boundary.encode())
    assert read(body, boundary) == [("a", b"1")]


def test_a_form_may_be_empty() -> None:
    assert read(b"--X--\r\n") == read(b"--X--") == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "boundary of its content type"),
        (b"a=1", "boundary of its content type"),
        (b"--XY\r\n", "boundary of its content type"),
        (b"--X\r\n", "cut off"),
        (WHOLE.removesuffix(b"--X--\r\n"), "cut off"),
        (WHOLE.removesuffix(b"--\r\n"), "cut off"),
        (WHOLE.removesuffix(b"-\r\n"), "cut off"),
        (b"--X\r\n\r\n1\r\n--X--", "without a name"),
        (b"--X\r\n--X--", "without a name"),
        (WHOLE.replace(b"form-data; ", b"form-data; x"), "without a name"),
        (WHOLE.replace(HEAD, b"no header"), "no colon"),
        (WHOLE.replace(HEAD, HEAD + b"x" * 20_000), "headers are over"),
        (11 * (b"--X\r\n" + HEAD + b"\r\n\r\n1\r\n") + b"--X--", "more than 10 fields"),
    ],
)
def test_what_is_no_such_form_is_refused_in_words(body: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read(body)


@given(
    st.lists(st.tuples(st.text("abc", min_size=1), st.binary(max_size=200)), max_size=5),
    st.text("abcXYZ019'()+_,-./:=?", min_size=1, max_size=70).filter(lambda one: one[-1] != " "),
)
def test_whatever_is_put_in_comes_out(written: list[tuple[str, bytes]], boundary: str) -> None:
    line = b"--" + boundary.encode()
    if any(line in content for _, content in written):
        return
    body = b"".join(
        line
        + f'\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, content in written
    )
    assert read(body + line + b"--\r\n", boundary) == written


def test_what_programs_of_mail_write_is_read() -> None:
    message = EmailMessage(email.policy.SMTP)
    message.make_mixed()
    name = "Żółć, über 漢字 and a long name that is written in several pieces.txt"
    message.add_attachment(b"\x00\xff" * 100, "application", "octet-stream", filename=name)
    (file,) = message.iter_attachments()
    file.set_param("name", "a", "Content-Disposition")
    whole = message.as_bytes()
    boundary = message.get_boundary() or email.message_from_bytes(whole).get_boundary()
    (part,) = fields(whole, f'multipart/form-data; boundary="{boundary}"', 10)
    assert part == Part("a", b"\x00\xff" * 100, name, "application/octet-stream")


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", [b"\r\n--X ", b"--X\r\n", b"\r\n--XY", b"\r\n--X-", b"\n", b"a:\r\n ", b"\r\n--X--a"]
)
def test_a_form_is_read_in_a_time_that_grows_with_it(unit: bytes) -> None:
    def tried(size: int) -> None:
        body = b"--X\r\n" + HEAD + b"\r\n\r\n" + unit * size
        for _ in range(5):
            with pytest.raises(ValueError, match=r"."):
                read(body)

    assert growth(tried, 10_000, 100_000) < 30
