"""What the body of an answer is."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.domain.response_bodies import Reading, body_of
from automations.kit.declared_text import legible, text_of
from automations.kit.values import JSON
from tests.hostile import charsets

ANY_TYPE = st.sampled_from(["text/plain", "text/html", "application/json", "application/pdf", ""])


@pytest.mark.parametrize("name", charsets.TEXTS)
def test_text_is_read_in_the_charset_that_it_says_to_be_in(name: str) -> None:
    declared, content, text = charsets.TEXTS[name]
    assert body_of(content, declared) == text
    assert legible(content, declared)


@pytest.mark.parametrize("name", charsets.JSONS)
def test_json_is_parsed_in_whatever_charset_it_comes(name: str) -> None:
    declared, content = charsets.JSONS[name]
    assert body_of(content, declared) == {"name": charsets.NAME}


@pytest.mark.parametrize("name", charsets.REFUSED)
def test_what_is_not_what_it_says_to_be_is_refused_in_words(name: str) -> None:
    declared, content, told = charsets.REFUSED[name]
    with pytest.raises(ValueError, match=told):
        body_of(content, declared)
    assert isinstance(body_of(content, declared, "base64"), str)


@pytest.mark.parametrize(
    ("declared", "content", "reading", "body"),
    [
        ("", b"", "json", None),
        ("application/pdf", b"%PDF-1.7", "auto", "JVBERi0xLjc="),
        ("application/octet-stream", b"a", "auto", "YQ=="),
        ("application/octet-stream", b'{"a": 1}', "json", {"a": 1}),
        ("application/octet-stream", b"a", "text", "a"),
        ("application/vnd.own; charset=utf-8", b"a", "auto", "a"),
        ("image/svg+xml", b"<svg/>", "auto", "<svg/>"),
        ("", b"a", "auto", "a"),
        ("", b"\xff", "auto", "/w=="),
        ("", b"a\0", "auto", "YQA="),
        ("application/json", b'{"a": 1}', "text", '{"a": 1}'),
        ("application/json", b'{"a": 1}', "base64", "eyJhIjogMX0="),
        ("application/json", b'"a"', "auto", "a"),
        ("application/json", b"12345678901234567890", "auto", 12345678901234567890),
        ("application/json, application/json", b'{"a": 1}', "auto", {"a": 1}),
        ("text/html, application/json; charset=utf-8", b'{"a": 1}', "auto", {"a": 1}),
        ("application/json, ", b'{"a": 1}', "auto", {"a": 1}),
        ('text/plain; title="a, b"; charset=latin-1', b"\xe9", "auto", "é"),
    ],
)
def test_a_body_is_read_by_its_type_or_as_one_is_told(
    declared: str, content: bytes, reading: Reading, body: JSON
) -> None:
    assert body_of(content, declared, reading) == body


@given(st.binary(max_size=200), ANY_TYPE, st.sampled_from(["", "; charset=utf-16", "; charset=hz"]))
def test_whatever_comes_is_read_or_refused_in_words(content: bytes, kind: str, more: str) -> None:
    assert isinstance(legible(content, kind + more), str)
    with suppress(ValueError):
        json.dumps(body_of(content, kind + more), allow_nan=False)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")),
    st.sampled_from(["utf-8", "utf-16-be", "utf-32", "gb18030"]),
)
def test_every_text_comes_back_in_every_charset_that_has_it(text: str, charset: str) -> None:
    assert text_of(text.encode(charset), f"text/plain; charset={charset}") == text
