"""Parameters of headers: what is read of them, what is refused, and how long it takes."""

from __future__ import annotations

import random
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.kit import declared_text
from automations.kit.form_bodies import fields, texts
from automations.kit.header_parameters import parameter
from tests.growth import growth
from tests.hostile import parameters

MULTIPART = "multipart/form-data; boundary=b"


def sent(more: str) -> bytes:
    head = f"--b\r\nContent-Disposition: form-data; name=a{more}"
    return f"{head}\r\n\r\nx\r\n--b--\r\n".encode()


@pytest.mark.parametrize("name", parameters.READ)
def test_a_parameter_is_read_as_it_was_written(name: str) -> None:
    more, filename = parameters.READ[name]
    (part,) = fields(sent(more), MULTIPART, 1)
    assert (part.name, part.filename) == ("a", filename)


@pytest.mark.parametrize("name", parameters.MORE)
def test_a_parameter_that_cannot_be_read_is_refused(name: str) -> None:
    more, why = parameters.MORE[name]
    with pytest.raises(ValueError, match=why):
        fields(sent(more), MULTIPART, 1)


@pytest.mark.slow
@pytest.mark.parametrize("unit", parameters.UNITS)
def test_a_header_is_read_in_a_time_that_grows_with_it(unit: str) -> None:
    def read(size: int) -> None:
        for _ in range(20):
            parameter("form-data; name=a" + unit * size, "filename")

    assert growth(read, 2_000, 20_000) < 30


@given(st.text("form-data;name=\"\\\\*'%= é", max_size=60))
def test_any_header_is_read_or_refused_as_what_it_says(header: str) -> None:
    try:
        found = parameter(header, "name")
    except ValueError:
        return
    assert found is None or "name" in header


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters='"\\'), max_size=30))
def test_whatever_is_quoted_comes_out(text: str) -> None:
    assert parameter(f'form-data; x="; name=y"; name="{text}"', "name") == text


@given(st.text(st.characters(max_codepoint=255), max_size=300), st.binary(max_size=60))
def test_any_form_is_read_or_refused_in_words(text: str, body: bytes) -> None:
    headed = f"--b\r\nContent-Disposition: form-data; name=a{text}\r\n\r\n".encode()
    for kind, sent_ in (
        (f"multipart/form-data;{text}", body),
        (f"multipart/form-data; boundary={text}", b"--" + body),
        (MULTIPART, headed + body + b"\r\n--b--\r\n"),
        (f"application/x-www-form-urlencoded;{text}", body),
        ("application/x-www-form-urlencoded", b"_charset_=" + body),
    ):
        with suppress(ValueError):
            texts(fields(sent_, kind, 5), kind)


def test_names_of_charsets_that_nobody_knows_are_not_kept() -> None:
    def ask(number: int) -> None:
        with pytest.raises(ValueError, match="is not known"):
            declared_text.decode(b"x", f"{number}" + random.choice("abc") * 100_000)

    ask(0)
    tracemalloc.start()
    try:
        for number in range(1, 60):
            ask(number)
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert left < 1_000_000
