"""JSON schemas of users: what is refused, what they find, and what cannot hang or reach out."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from automations.kit.json_schema.schemas import Schema, SchemaFault
from automations.kit.json_schema.validation import (
    MAX_VIOLATIONS,
    first_violation,
    schema_fault,
    violations,
)
from automations.kit.values import JSON
from tests.hostile import schemas as hostile

WORK = 2_000


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"not": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"type": "object"}, None),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, None),
        ({"properties": {"a": {"pattern": "^x+$"}}}, None),
        ({"properties": {"pattern": {"type": "string"}}}, None),
        ({"$ref": "#/definitions/a", "definitions": {"a": {"type": "string"}}}, None),
        ({"$ref": "#a", "$defs": {"x": {"$anchor": "a"}}}, None),
        ({"$ref": "#/$defs/a~1b%25", "$defs": {"a/b%": True}}, None),
        ({"x-own": {"pattern": "(?=x)"}}, None),
        ({"type": "thing"}, "type: "),
        ({"type": []}, "type: "),
        ({"required": 5}, "required: "),
        ({"properties": {"a": {"minLength": -1}}}, "properties.a.minLength: "),
        ({"properties": {"a": 5}}, "properties.a: "),
        ({"minimum": True}, "minimum: "),
        ({"multipleOf": 0}, "multipleOf: "),
        ({"allOf": []}, "allOf: "),
        ({"uniqueItems": 1}, "uniqueItems: "),
        ({"dependentRequired": {"a": [1]}}, "dependentRequired.a: "),
        ({"items": [{"pattern": "(?=x)"}]}, "items: "),
        ({"anyOf": [{"pattern": "(?=x)"}]}, "not a pattern that can be used"),
        ({"patternProperties": {"(?<=x)": {}}}, "not a pattern that can be used"),
        (nested(5_000), "too deep"),
        ({"properties": {"a": {"dependencies": {}}}}, "use dependentRequired or dependentSchemas"),
        ({"additionalItems": False}, "use items, behind prefixItems"),
        ({"properties": {"a": {"maxlength": 3}}}, "properties.a.maxlength: is not known here"),
        ({"requred": ["a"]}, "use required"),
        ({"min_length": 1}, "use minLength"),
        ({"anyof": [{}]}, "use anyOf"),
        ({"x-maxlength": 1, "multiple": True, "enumNames": [], "readOnly": True}, None),
        ({"properties": {"maxlength": {}, "requred": {"default": 1, "examples": []}}}, None),
        ({"const": {"maxlength": 1}, "enum": [{"requred": 1}], "default": {"anyof": 1}}, None),
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
        ({"uniqueItems": True}, [1, True, 0, False, "1", [1], [True]], None),
        ({"uniqueItems": True}, [1, 1.0], "twice"),
        ({"uniqueItems": True}, [{"a": [1]}, {"a": [1.0]}], "twice"),
        ({"enum": [1, "a"]}, True, "true is not one of 1, 'a'"),
        ({"const": [0]}, [False], "the list"),
        ({"type": "integer"}, 1.0, None),
        ({"multipleOf": 0.1}, 0.3, None),
        ({"multipleOf": 0.01}, 10**30, None),
        ({"multipleOf": 0.01}, 1e300, None),
        ({"multipleOf": 5e-324}, 1.7e308, None),
        ({"pattern": r"^\d+$"}, "007", None),
        ({"required": ["it's"]}, {}, '"it\'s" is a required property'),
        ({"items": {"type": "string"}, "prefixItems": [True]}, [1, 2], "1: 2 is not"),
        ({"properties": {"a": {"$ref": "#"}}, "type": "object"}, {"a": {"a": 1}}, "a.a: 1"),
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


def test_no_more_violations_are_told_than_say_something_new() -> None:
    found = violations(Schema.read({"items": {"type": "string"}}), [1] * 1_000)
    assert len(found) == MAX_VIOLATIONS


@pytest.mark.parametrize("name", hostile.REFUSED)
def test_a_hostile_schema_is_refused(name: str) -> None:
    schema = hostile.REFUSED[name]
    assert schema_fault(schema) is not None
    assert "cannot be used" in str(first_violation(schema, {}))


@pytest.mark.parametrize("name", hostile.COSTLY)
def test_a_schema_that_costs_too_much_is_ended(name: str) -> None:
    schema, value = hostile.COSTLY[name]
    assert schema_fault(schema) is None
    assert "cannot be used" in str(first_violation(schema, value))


names = st.sampled_from(["a", "b", "ab", "x/~%"])
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([1.0, 0.5, -0.0]), names
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)
kinds = st.sampled_from(["null", "boolean", "object", "array", "number", "integer", "string"])
patterns = st.sampled_from(["^a", "b$", "a+", "[^a]"])
counts = st.integers(0, 3)


def keywords(inner: st.SearchStrategy[JSON]) -> st.SearchStrategy[JSON]:
    many = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(names, inner, max_size=3)
    several = st.lists(names, max_size=3, unique=True)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": kinds | st.lists(kinds, min_size=1, max_size=2, unique=True),
            "enum": st.lists(values, min_size=1, max_size=4),
            "const": values,
            **dict.fromkeys(("minimum", "maximum"), st.integers(-2, 2) | st.just(0.5)),
            **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), st.integers(-2, 2)),
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), counts),
            **dict.fromkeys(("minProperties", "maxProperties", "minContains"), counts),
            "pattern": patterns,
            "uniqueItems": st.booleans(),
            "required": several,
            "dependentRequired": st.dictionaries(names, several, max_size=2),
            **dict.fromkeys(("properties", "dependentSchemas", "$defs"), named),
            "patternProperties": st.dictionaries(patterns, inner, max_size=2),
            **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), many),
            **dict.fromkeys(
                ("additionalProperties", "propertyNames", "items", "contains", "not", "if", "then",
                 "else", "unevaluatedProperties", "unevaluatedItems"),
                inner,
            ),
        },
    )  # fmt: skip


schemas = st.recursive(st.booleans() | keywords(st.booleans()), keywords, max_leaves=6)


@pytest.mark.slow
@given(schema=schemas, value=values)
def test_the_same_values_are_allowed_as_by_the_library(schema: JSON, value: JSON) -> None:
    assert schema_fault(schema) is None
    found = violations(Schema.read(schema), value, work=10_000_000)
    assert (not found) is Draft202012Validator(schema).is_valid(value)


@pytest.mark.slow
@given(schema=schemas | values, value=values.map(lambda value: [[value] * 30] * 30))
def test_no_schema_takes_more_than_it_may(schema: JSON, value: JSON) -> None:
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        violations(Schema.read(schema), value, work=WORK)
    except SchemaFault:
        pass
    finally:
        sys.setprofile(None)
    assert calls < 60 * WORK
