"""Mails as they are on the wire, read by two parsers and line by line."""

from __future__ import annotations

import email
import email.policy
import re
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.utils import collapse_rfc2231_value, parseaddr
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from automations.adapters.mail_messages import compose
from automations.ports import Attachment, Mail, MailServer
from tests.hostile.mail_texts import BODIES, BREAKS, TEXTS

OURS = [
    "Content-Type", "MIME-Version", "From", "To", "Subject", "Date", "Message-ID",
    "X-Idempotency-Key",
]  # fmt: skip
WRITTEN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=300)
PIECES = st.lists(
    st.sampled_from(
        ["=?", "?=", "utf-8", "?q?", "?b?", "=0D=0A", '"', "\\", " ", "a", "ż", ";", "%"]
    )
)
ANY = WRITTEN | PIECES.map("".join)


def server(name: str = "", address: str = "auto@sender.example") -> MailServer:
    return MailServer("h", 25, "none", address, "smtp", sender_name=name)


def mail(**more: Any) -> Mail:
    given = {"to": ("a@b.example",), "subject": "Hi", "body": "Hello", "key": "k", **more}
    return Mail(workspace_id="w", **given)


def written(mail: Mail, name: str = "") -> bytes:
    content = compose(server(name), mail, international=False)
    assert content.isascii()
    assert not re.search(rb"[^\r]\n|\r[^\n]", content)
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))
    return content


def both(content: bytes) -> tuple[Message, EmailMessage]:
    old = email.message_from_bytes(content)
    new = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(new, EmailMessage)
    return old, new


def decoded(header: str) -> str:
    # The older parser keeps the folding of a line.
    return str(make_header(decode_header(header.replace("\r\n ", " "))))


def check_subject(text: str) -> None:
    old, new = both(written(mail(subject=text)))
    assert sorted(old.keys()) == sorted([*OURS, "Content-Transfer-Encoding"])
    assert decoded(old["Subject"]) == text
    assert new["Subject"] == text
    assert old.get_payload(decode=True) == b"Hello\r\n"


def check_name(text: str) -> None:
    old, new = both(written(mail(), text))
    assert sorted(old.keys()) == sorted([*OURS, "Content-Transfer-Encoding"])
    name, address = parseaddr(old["From"].replace("\r\n ", " "))
    assert (decoded(name), address) == (text, "auto@sender.example")
    (sender,) = new["From"].addresses
    assert sender.addr_spec == "auto@sender.example"


def check_file_name(text: str) -> None:
    file = Attachment(text, b"\0\xff", "application/pdf")
    old, new = both(written(mail(attachments=(file,))))
    assert sorted(old.keys()) == sorted(OURS)
    part = old.get_payload()[1]  # type: ignore[index]  # a list of its two parts
    assert isinstance(part, Message)
    assert part.keys() == ["Content-Type", "Content-Disposition", "Content-Transfer-Encoding"]
    assert part.get_payload(decode=True) == b"\0\xff"
    assert collapse_rfc2231_value(part.get_param("filename", "", "Content-Disposition")) == text
    (found,) = new.iter_attachments()
    # get_filename() takes away blanks and quotes at both ends, whoever wrote them.
    assert found["Content-Disposition"].params.get("filename", "") == text


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("check", [check_subject, check_name, check_file_name])
def test_what_somebody_wrote_arrives_as_it_was_written(check: Any, name: str) -> None:
    check(TEXTS[name])


@given(ANY)
def test_any_subject_arrives_and_adds_no_header(text: str) -> None:
    check_subject(text)


@given(ANY)
def test_any_name_arrives_and_adds_no_header(text: str) -> None:
    check_name(text)


@given(ANY)
def test_any_file_name_arrives_and_adds_no_header(text: str) -> None:
    check_file_name(text)


@pytest.mark.parametrize("end", BREAKS)
def test_a_line_break_is_refused_wherever_it_is(end: str) -> None:
    text, file = f"a{end}Bcc: x@evil.example", Attachment("a", b"", "text/plain")
    sent: list[tuple[MailServer, Mail]] = [
        (server(), mail(subject=text)),
        (server(), mail(to=(text,))),
        (server(), mail(cc=(text,))),
        (server(), mail(reply_to=text)),
        (server(text), mail()),
        (server(address=text), mail()),
        (server(), mail(attachments=(Attachment(text, b"", "text/plain"),))),
        (server(), mail(attachments=(Attachment("a", b"", text), file))),
    ]
    for by, what in sent:
        with pytest.raises(ValueError, match=r"line|media type|ASCII"):
            compose(by, what, international=True)


def check_body(text: str) -> None:
    lines = re.split("\r\n|\r|\n", text)
    wanted = "".join(f"{line}\r\n" for line in (lines if lines[-1] else lines[:-1]))
    old, new = both(written(mail(body=text, html=text)))
    for message in (old, new):
        found = [part for part in message.walk() if not part.is_multipart()]
        assert [part.get_payload(decode=True) for part in found] == [wanted.encode()] * 2
    assert not any(line.startswith(b"From ") for line in old.as_bytes().split(b"\n"))


@pytest.mark.parametrize("name", BODIES)
def test_a_body_arrives_as_it_was_written(name: str) -> None:
    check_body(BODIES[name])


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("From \nFrom " + "From " * 99)
def test_any_body_arrives(text: str) -> None:
    check_body(text)


def test_a_plain_text_is_plain_on_the_wire() -> None:
    content = written(mail(body="Dear Ada,\nhello.\n", subject="Plain"))
    assert content.endswith(b"\r\n\r\nDear Ada,\r\nhello.\r\n")
    assert b"\r\nSubject: Plain\r\n" in content


@pytest.mark.parametrize(
    "kind", ["message/rfc822", "MESSAGE/partial", "multipart/mixed; boundary=x", "no type", "a/b\0"]
)
def test_a_file_that_would_be_a_part_of_the_mail_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="type"):
        written(mail(attachments=(Attachment("a.eml", b"Subject: x\r\n\r\ny", kind),)))


def test_a_domain_is_written_in_ascii_everywhere() -> None:
    sender = server("Bücher", "post@bücher.example")
    sent = mail(to=("ada@żółw.example", "b@xn--bcher-kva.example"), reply_to="r@bücher.example")
    old, _ = both(compose(sender, sent, international=False))
    assert old["To"].replace("\r\n", "") == "ada@xn--w-uga1v8h.example, b@xn--bcher-kva.example"
    assert old["Reply-To"] == "r@xn--bcher-kva.example"
    assert old["From"].endswith(" <post@xn--bcher-kva.example>")
    assert old["Message-ID"].endswith("@xn--bcher-kva.example>")
