"""JSON from outside, made fit for the database."""

from __future__ import annotations

import pytest

from automations.outcomes import JSON
from automations.storable import MOST_DEEP, storable


def nested(depth: int) -> JSON:
    value: JSON = 1
    for _ in range(depth):
        value = [value]
    return value


def test_plain_json_is_left_as_it_is() -> None:
    value = {"a": [1, 2.5, True, None, "ż\U0001f600"], "b": {}}
    assert storable(value) == value


@pytest.mark.parametrize(
    ("value", "kept"), [("a\0b", "a\ufffdb"), ("\ud800", "?"), ({"\0": ["\0"]}, None)]
)
def test_what_postgresql_refuses_is_replaced(value: JSON, kept: JSON) -> None:
    assert storable(value) == (kept or {"\ufffd": ["\ufffd"]})


def test_depth_has_a_limit() -> None:
    assert storable(nested(MOST_DEEP)) == nested(MOST_DEEP)
    with pytest.raises(ValueError, match="100 deep"):
        storable(nested(MOST_DEEP + 1))


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(ValueError, match="holds bytes"):
        storable([b"x"])
