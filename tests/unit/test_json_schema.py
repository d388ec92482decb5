"""JSON schemas of users: what is refused, and what cannot hang or reach out."""

from __future__ import annotations

import time
from typing import Any

import pytest

from automations.kit.json_schema import first_violation, schema_fault
from automations.kit.values import JSON


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"not": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"type": "object"}, None),
        ({"properties": {"a": {"pattern": "^x+$"}}}, None),
        ({"type": "thing"}, "type: "),
        ({"required": 5}, "required: "),
        ({"items": [{"pattern": "(?=x)"}]}, "items: "),
        ({"anyOf": [{"pattern": "(?=x)"}]}, "not a pattern that can be used"),
        ({"patternProperties": {"(?<=x)": {}}}, "not a pattern that can be used"),
        (nested(5_000), "too deep"),
    ],
)
def test_a_schema_that_cannot_be_used_is_named(schema: dict[str, Any], fault: str | None) -> None:
    found = schema_fault(schema)
    assert (found is None) if fault is None else (fault in str(found))


@pytest.mark.parametrize(
    ("schema", "value", "violation"),
    [
        ({"type": "object"}, {}, None),
        ({"properties": {"a": {"type": "string"}}}, {"a": 5}, "a: 5 is not of type 'string'"),
        ({"properties": {"a": {"pattern": "^x"}}}, {"a": "y"}, "a: does not match '^x'"),
        ({"properties": {"a": {"pattern": "^x"}}}, {"a": "xy"}, None),
        ({"patternProperties": {"^n_": {"type": "number"}}}, {"n_a": "x", "b": "x"}, "n_a: 'x'"),
        ({"patternProperties": {"^n_": {"type": "number"}}}, {"n_a": 1}, None),
        ({"$ref": "http://127.0.0.1:1/x"}, {}, "cannot be used"),
        ({"$ref": "file:///etc/passwd"}, {}, "cannot be used"),
        ({"$ref": "#"}, {}, "without end"),
    ],
)
def test_the_first_violation_is_told_with_its_path(
    schema: dict[str, Any], value: JSON, violation: str | None
) -> None:
    found = first_violation(schema, value)
    assert (found is None) if violation is None else (violation in str(found))


def test_no_pattern_backtracks() -> None:
    schema = {"properties": {"a": {"pattern": "^(a+)+$"}}}
    began = time.monotonic()
    assert first_violation(schema, {"a": "a" * 50_000 + "b"}) is not None
    assert time.monotonic() - began < 1
