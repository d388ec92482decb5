"""JSON schemas that users write: checked, and used without surprises.

No reference is fetched from anywhere, and patterns are matched by an engine that never backtracks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from pydantic_core import SchemaError as PatternError
from pydantic_core import SchemaValidator, core_schema
from pydantic_core import ValidationError as Mismatch
from referencing import Registry
from referencing.exceptions import Unresolvable

from automations.kit.values import JSON


def schema_fault(schema: Mapping[str, JSON]) -> str | None:
    """Why a schema cannot be used; None when it can."""
    try:
        Draft202012Validator.check_schema(schema)
        for pattern in _patterns(schema):
            _matcher(pattern)
    except SchemaError as error:
        path = ".".join(str(part) for part in error.absolute_path)
        return f"{path}: {error.message}" if path else error.message
    except PatternError:
        return f"'{pattern}' is not a pattern that can be used"
    except RecursionError:
        return "is nested too deep"
    return None


def first_violation(schema: Mapping[str, JSON], value: JSON) -> str | None:
    """The first thing in a value that its schema does not allow, with its path."""
    try:
        for error in _Validator(dict(schema), registry=Registry()).iter_errors(value):
            path = ".".join(str(part) for part in error.absolute_path)
            return f"{path}: {error.message}"[:500] if path else str(error.message)[:500]
    except Unresolvable as error:
        return f"the schema cannot be used: {error}"
    except RecursionError:
        return "the schema refers to itself without end"
    return None


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for item in schema:
            yield from _patterns(item)
    elif isinstance(schema, Mapping):
        if isinstance(pattern := schema.get("pattern"), str):
            yield pattern
        if isinstance(properties := schema.get("patternProperties"), Mapping):
            yield from properties
        for item in schema.values():
            yield from _patterns(item)


def _matcher(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=pattern))


def _matches(pattern: str, text: str) -> bool:
    try:
        _matcher(pattern).validate_python(text)
    except Mismatch:
        return False
    return True


def _pattern(
    validator: Any, pattern: str, value: JSON, schema: Mapping[str, JSON]
) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _matches(pattern, value):
        yield ValidationError(f"does not match '{pattern}'")


def _pattern_properties(
    validator: Any, properties: Mapping[str, JSON], value: JSON, schema: Mapping[str, JSON]
) -> Iterator[ValidationError]:
    if isinstance(value, dict):
        for pattern, inner in properties.items():
            for key, item in value.items():
                if _matches(pattern, key):
                    yield from validator.descend(item, inner, path=key, schema_path=pattern)


_Validator = extend(
    Draft202012Validator, {"pattern": _pattern, "patternProperties": _pattern_properties}
)
