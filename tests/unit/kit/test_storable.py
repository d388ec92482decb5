"""JSON from outside, made fit for the database."""

from __future__ import annotations

import json

import pytest

from automations.kit.storable import (
    MAX_DEPTH,
    MAX_SENT_DEPTH,
    NotStorable,
    fault,
    faults,
    same,
    sanitize,
    showable,
    storable,
)
from automations.kit.values import JSON
from tests.hostile import bodies as hostile


def nested(depth: int) -> JSON:
    value: JSON = 1
    for _ in range(depth):
        value = [value]
    return value


def test_plain_json_is_left_as_it_is() -> None:
    value = {"a": [1, 2.5, True, None, "ż\U0001f600"], "b": {}}
    assert storable(value) == value


@pytest.mark.parametrize(
    ("value", "near"),
    [("a\0b", "a\ufffdb"), ("\ud800", "?"), ({"\0": ["\0"]}, {"\ufffd": ["\ufffd"]})],
)
def test_what_postgresql_refuses_is_no_data_and_is_replaced_where_people_are_told(
    value: JSON, near: JSON
) -> None:
    with pytest.raises(NotStorable, match=r"\(a\.b\)"):
        storable({"a": {"b": value}})
    assert sanitize({"a": {"b": value}}) == {"a": {"b": near}}


def test_depth_has_a_limit() -> None:
    assert storable(nested(MAX_DEPTH)) == nested(MAX_DEPTH)
    with pytest.raises(ValueError, match="deeper than 100 levels"):
        storable(nested(MAX_DEPTH + 1))


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(ValueError, match="holds bytes"):
        storable([b"x"])


@pytest.mark.parametrize(
    ("left", "right", "are_same"),
    [
        (1, True, False),
        (0, False, False),
        (1, 1.0, True),
        (True, True, True),
        ([1, {"a": True}], [1, {"a": 1}], False),
        ([1, {"a": [None]}], [1.0, {"a": [None]}], True),
        ({"a": 1}, {"b": 1}, False),
        ([1], [1, 1], False),
        ({}, [], False),
        (None, False, False),
        ("1", 1, False),
    ],
)
def test_values_are_the_same_as_json(left: JSON, right: JSON, are_same: bool) -> None:
    assert same(left, right) is same(right, left) is are_same


@pytest.mark.parametrize("name", sorted(hostile.VALUES))
def test_what_cannot_be_kept_is_told_with_its_place(name: str) -> None:
    value, says = hostile.VALUES[name]
    assert says in str(fault(value))
    (path,) = faults({"a": {"b": [1, value]}}, "data")
    assert path == "data.a.b"


def test_what_can_be_kept_has_no_fault() -> None:
    value = {"a": [1, -2.5, 10**300, True, None, "ż\U0001f600", nested(MAX_SENT_DEPTH - 2)], "": ""}
    assert (fault(value), faults(value, "data")) == (None, {})


def test_what_is_stored_too_deep_is_shown_up_to_there() -> None:
    shown = json.dumps(showable({"fine": 1, "deep": nested(900)}))
    assert shown.startswith('{"fine": 1, "deep": [[[')
    assert "nested too deep to be shown" in shown
