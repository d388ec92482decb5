"""JSON as others send it: taken exactly, or refused in words."""

from __future__ import annotations

import json
import tracemalloc
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.kit.json_text import (
    decode,
    is_json,
    parse_any,
    parse_json,
    parse_lenient,
    parse_stored,
)
from automations.kit.storable import MAX_SENT_DEPTH, fault
from automations.kit.values import JSON
from tests.hostile import bodies as hostile

VALUES: st.SearchStrategy[JSON] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inside: st.lists(inside) | st.dictionaries(st.text("abc", max_size=3), inside),
)


def parse(body: bytes) -> JSON:
    return parse_json(decode(body, None))


@pytest.mark.parametrize("name", sorted(hostile.TEXTS))
def test_what_cannot_be_kept_as_it_is_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|holds) "):
        parse(hostile.TEXTS[name])


@pytest.mark.parametrize("name", sorted(hostile.TEXTS))
def test_json_never_becomes_a_text(name: str) -> None:
    try:
        text = decode(hostile.TEXTS[name], None)
        json.loads(text, parse_int=str)
    except ValueError:
        return  # It is no JSON, or no text.
    except RecursionError:
        pass
    with pytest.raises(ValueError, match=r"^(is|holds) "):
        parse_any(text)


@pytest.mark.parametrize("text", ["", "a", "{{input.a}}", "[1", "{a: 1}", "NaN", "-Infinity", "01"])
def test_what_is_no_json_stands_for_itself(text: str) -> None:
    assert parse_any(text) == text


@pytest.mark.parametrize("name", sorted(hostile.TEXTS))
def test_in_parts_what_cannot_be_kept_is_found_where_it_is(name: str) -> None:
    try:
        text = decode(hostile.TEXTS[name], None)
        json.loads(text)
        found = parse_lenient(f'{{"good": [1, "a"], "bad": {text}}}')
    except (ValueError, RecursionError):
        return  # It is not JSON at all.
    assert found["good"] == [1, "a"]
    assert fault(found["bad"], MAX_SENT_DEPTH - 1) is not None


@pytest.mark.parametrize("name", sorted(hostile.KEPT))
def test_in_parts_all_else_is_the_same(name: str) -> None:
    text = decode(hostile.KEPT[name], None)
    assert parse_lenient(text) == parse_json(text)


@pytest.mark.parametrize("inside", [b"[],", b'{"a":{}},'])
def test_what_would_take_the_memory_of_all_is_refused_before_it_is_read(inside: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="holds more than 2,000,000 lists and objects"):
            parse(b"[" + inside * 2_000_001 + b"1]")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000_000


@pytest.mark.parametrize("name", sorted(hostile.KEPT))
def test_what_only_looks_odd_is_taken(name: str) -> None:
    body = hostile.KEPT[name]
    assert parse(body) == json.loads(body)


@pytest.mark.slow
@given(VALUES)
def test_every_value_arrives_as_it_was_sent(value: JSON) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert json.dumps(parse(text.encode())) == json.dumps(value)
        assert json.dumps(parse_stored(text)) == json.dumps(value)


def test_what_is_stored_may_be_half_of_a_pair() -> None:
    assert parse_stored('["\\ud800"]') == ["\ud800"]


def test_what_is_stored_may_be_nested_deep() -> None:
    written = "[" * 400 + "]" * 400
    assert json.dumps(parse_stored(written)) == written


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_arrives_as_the_double_that_it_is_or_not_at_all(number: Decimal) -> None:
    try:
        kept = parse(str(number).encode())
    except ValueError as refused:
        assert str(refused).startswith(("holds", "is not valid JSON"))  # noqa: PT017
        return
    assert kept == float(number) or kept == number
    assert bool(kept) is bool(number)


@given(st.binary(max_size=200) | st.text('[]{}",:0.eE-\\u', max_size=60).map(str.encode))
def test_no_bytes_are_more_than_refused(body: bytes) -> None:
    try:
        value = parse(body)
    except ValueError:
        return
    assert fault(value) is None


def test_one_place_says_what_is_json() -> None:
    assert [kind for kind in hostile.JSON_TYPES if not is_json(kind)] == []
    assert [kind for kind in hostile.OTHER_TYPES if is_json(kind)] == []
