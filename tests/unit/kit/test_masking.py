"""Masking: no encoding that a value meets on its way brings it into what is recorded."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automations.kit.masking import MASK, Masker
from automations.steps.outcomes import Branch, Done, Fail, Question, WaitForDecision
from tests.growth import growth

VALUE = "pa\"ss/w+ö rd\\&='<1>"

VALUES = st.text(
    st.characters(codec="utf-8", exclude_characters="*\0", exclude_categories=("Cc", "Zl", "Zp")),
    min_size=5,
    max_size=40,
).filter(lambda value: len(value.strip()) >= 5)

ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": lambda value: quote(value, safe=""),
    "url path": quote,
    "url in lower case": lambda value: quote(value, safe="").replace("%2F", "%2f"),
    "form": quote_plus,
    "browser": lambda value: quote(value, safe="!'()*-._~"),
    "httpx": lambda value: str(httpx.QueryParams({"a": value}))[2:],
    "url twice": lambda value: quote(quote(value)),
    "json": json.dumps,
    "json in unicode": lambda value: json.dumps(value, ensure_ascii=False),
    "json twice": lambda value: json.dumps(json.dumps(value)),
    "json of php": lambda value: json.dumps(value).replace("/", "\\/"),
    "json in a url": lambda value: quote(json.dumps(value)),
    "html": html.escape,
    "html in json": lambda value: json.dumps(html.escape(value)),
    "json in html": lambda value: html.escape(json.dumps(value)),
    "html with numbers": lambda value: "".join(
        char if char.isascii() and char.isalnum() else f"&#x{ord(char):X};" for char in value
    ),
    "hex": lambda value: value.encode().hex(),
    "hex in capitals": lambda value: value.encode().hex().upper(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for urls": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64 in a url": lambda value: quote_plus(base64.b64encode(value.encode())),
    "base64 of json": lambda value: base64.b64encode(json.dumps({"a": value}).encode()).decode(),
    "base64 of a form": lambda value: base64.b64encode(quote(value, safe="").encode()).decode(),
}


@given(value=VALUES)
def test_no_encoding_of_a_value_is_left(value: str) -> None:
    masker = Masker([value])
    for encoding, encode in ENCODINGS.items():
        encoded = encode(value)
        core = encoded.strip('"\\=')
        masked = masker.text(f"<{encoded}>")
        assert MASK in masked, encoding
        assert core not in masked, encoding


@pytest.mark.slow
@given(value=VALUES, before=st.binary(max_size=7), after=st.binary(max_size=7))
@settings(max_examples=500)
def test_base64_hides_a_value_at_every_place_of_a_longer_text(
    value: str, before: bytes, after: bytes
) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        masked = Masker([value]).text(encode(before + value.encode() + after).decode())
        head, mask, tail = masked.partition(MASK)
        assert mask
        # What is left holds no more whole bytes than there were around the value.
        assert len(head) * 6 // 8 <= len(before)
        assert len(tail.rstrip("=")) * 6 // 8 <= len(after)


@given(value=VALUES, other=VALUES, text=st.text(max_size=20))
def test_values_that_overlap_leave_nothing_of_each_other(value: str, other: str, text: str) -> None:
    joined = value + other[1:] if value[-1] == other[0] else value + other
    masked = Masker([value, other]).text(text + joined + text)
    assert value not in masked
    assert other not in masked


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(value=VALUES, around=JSON_VALUES)
def test_nested_json_holds_the_value_nowhere(value: str, around: Any) -> None:
    nested = {"a": [around, {"b": f"x{value}y", value: [value]}], "c": (value,)}
    masked = Masker([value]).value(nested)
    assert masked["a"][1]["b"] == f"x{MASK}y"
    assert masked["a"][1][MASK] == [MASK]
    assert masked["c"] == (MASK,)


@given(around=JSON_VALUES)
def test_what_holds_no_secret_stays_what_it_is(around: Any) -> None:
    assert Masker(["d2f0c1b7-not-there"]).value(around) == around


def test_a_number_that_is_the_value_is_masked() -> None:
    assert Masker(["123456"]).value({"n": 123456, "m": 12345, "t": True}) == {
        "n": MASK,
        "m": 12345,
        "t": True,
    }


def test_a_key_of_several_lines_is_masked_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nshort\n-----END KEY-----\n"
    masker = Masker([key])
    assert masker.text(f"a{key}b") == f"a{MASK}b"
    assert masker.text("read line MIIEvQIBADANBg") == f"read line {MASK}"
    assert MASK in masker.text(json.dumps(key))
    assert "MIIE" not in masker.text(key.replace("\n", "\r\n"))


def test_what_a_mask_joins_is_looked_at_again() -> None:
    assert Masker(["abcde", "ab***de"]).text("ababcdede") == MASK


def test_values_that_are_too_short_mask_nothing() -> None:
    assert Masker(["abc", ""]).text("abcdef") == "abcdef"


def test_all_fields_of_an_outcome_are_masked_but_those_that_something_goes_by() -> None:
    masker = Masker([VALUE, "onReject", "boss@b.example"])
    assert masker.fields(Done({"a": VALUE})) == Done({"a": MASK})
    assert masker.fields(Branch({"a": VALUE}, "onReject")) == Branch({"a": MASK}, "onReject")
    failed = Fail(f"no {VALUE}", "kind", True, timedelta(1), {"b": [VALUE]})
    assert masker.fields(failed) == Fail(f"no {MASK}", "kind", True, timedelta(1), {"b": [MASK]})
    asked = WaitForDecision(
        Question("s", f"b {VALUE}", {"k": VALUE}, None, ("boss@b.example",)), timedelta(1)
    )
    assert masker.fields(asked) == WaitForDecision(
        Question("s", f"b {MASK}", {"k": MASK}, None, ("boss@b.example",)), timedelta(1)
    )


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("\\" * 20 + "x", "\\"),
        ('"""""""x', '\\"'),
        ("&&&&&&&x", "&amp;"),
        ("%%%%%%%x", "%25"),
        ("/+/+/+/+", "%252F"),
    ],
)
def test_the_search_takes_no_more_than_its_share_for_a_longer_text(value: str, unit: str) -> None:
    masker = Masker([value])
    # Sixteen times as much for four times the text would be a search that starts anew each time.
    assert growth(lambda size: masker.text(unit * size), 20_000, 80_000) < 10
