"""What each keyword of a schema asks of a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from automations.kit.json_schema.schemas import Schema, SchemaFault
from automations.kit.json_schema.violations import Path, Violation, format_value
from automations.kit.values import JSON

Formats = Mapping[str, Callable[[object], bool]]


Violations = list[Violation]


@dataclass(slots=True)
class Evaluated:
    """Which parts of one value some schema had a say in: for the `unevaluated…` keywords."""

    names: set[str] = field(default_factory=set)
    places: set[int] = field(default_factory=set)

    def add(self, other: Evaluated) -> None:
        self.names |= other.names
        self.places |= other.places


class Validation(Protocol):
    """One value's check, which counts what it takes."""

    schema: Schema
    formats: Formats

    def charge(self, work: int = 1) -> None: ...

    def match(self, pattern: str, text: str) -> bool: ...

    def identity(self, value: JSON) -> Any: ...

    def apply(
        self, schema: JSON, value: JSON, path: Path, evaluated: Evaluated | None = None
    ) -> Violations: ...


@dataclass(frozen=True, slots=True)
class Instance:
    """A value at its place, with the schema that is being applied to it."""

    run: Validation
    schema: dict[str, JSON]
    value: Any
    path: Path
    evaluated: Evaluated

    def here(self, schema: JSON) -> Violations:
        """Apply another schema to the same value."""
        return self.run.apply(schema, self.value, self.path, self.evaluated)

    def holds(self, schema: JSON) -> bool:
        """Whether another schema allows the value."""
        return not self.here(schema)

    def inside(self, schema: JSON, name: Any) -> Violations:
        """Apply a schema to a part of the value."""
        (self.evaluated.places if isinstance(name, int) else self.evaluated.names).add(name)
        return self.run.apply(schema, self.value[name], (*self.path, name))

    def not_so(self, keyword: str, expected: JSON, message: str, **more: Any) -> Violations:
        """The one violation of a keyword."""
        return [Violation(self.path, keyword, expected, message, **more)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    whole = isinstance(value, float) and value.is_integer()
    return whole or (isinstance(value, int) and not isinstance(value, bool))


_TYPES: Mapping[str, Callable[[object], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "number": _is_number,
    "integer": _is_whole,
    "string": lambda value: isinstance(value, str),
}


def _type(at: Instance, expected: JSON) -> Violations:
    names = expected if isinstance(expected, list) else [expected]
    if any(_TYPES[name](at.value) for name in names):
        return []
    wanted = ", ".join(f"'{name}'" for name in names)
    return at.not_so("type", expected, f"{format_value(at.value)} is not of type {wanted}")


def _enum(at: Instance, expected: JSON) -> Violations:
    choices = at.run.schema.choices(expected, at.run.identity)
    # A large value is read as a whole only where one of its size is among the choices.
    may_be = not isinstance(at.value, list | dict) or len(at.value) in choices.sizes
    if may_be and at.run.identity(at.value) in choices.identities:
        return []
    wanted = ", ".join(format_value(one) for one in expected[:20])
    return at.not_so("enum", expected, f"{format_value(at.value)} is not one of {wanted}")


def _const(at: Instance, expected: JSON) -> Violations:
    if at.run.identity(at.value) == at.run.identity(expected):
        return []
    return at.not_so("const", expected, f"{format_value(expected)} was expected")


def _bound(
    keyword: str, holds: Callable[[Any, Any], bool], word: str
) -> Callable[[Instance, JSON], Violations]:
    def check(at: Instance, expected: JSON) -> Violations:
        if not _is_number(at.value) or holds(at.value, expected):
            return []
        return at.not_so(
            keyword, expected, f"{format_value(at.value)} is {word} {format_value(expected)}"
        )

    return check


def _multiple_of(at: Instance, expected: JSON) -> Violations:
    if not _is_number(at.value):
        return []
    try:
        if isinstance(at.value, int) and isinstance(expected, int):
            rest: Any = at.value % expected
        else:
            # As they are written, since 0.3 is a multiple of 0.1.
            rest = Decimal(str(at.value)) % Decimal(str(expected))
    except (InvalidOperation, ValueError):
        rest = 1
    if not rest:
        return []
    message = f"{format_value(at.value)} is not a multiple of {format_value(expected)}"
    return at.not_so("multipleOf", expected, message)


def _size(
    keyword: str, kind: type[Any], holds: Callable[[Any, Any], bool], word: str
) -> Callable[[Instance, JSON], Violations]:
    def check(at: Instance, expected: JSON) -> Violations:
        if not isinstance(at.value, kind) or holds(len(at.value), expected):
            return []
        return at.not_so(
            keyword, expected, f"{format_value(at.value)} {word} {format_value(expected)}"
        )

    return check


def _pattern(at: Instance, expected: JSON) -> Violations:
    if not isinstance(at.value, str) or at.run.match(expected, at.value):
        return []
    return at.not_so("pattern", expected, f"does not match '{expected}'")


def _format(at: Instance, expected: JSON) -> Violations:
    holds = at.run.formats.get(expected)
    if holds is None or not isinstance(at.value, str):
        return []
    at.run.charge(len(at.value) // 100)
    if holds(at.value):
        return []
    return at.not_so("format", expected, f"{format_value(at.value)} is not a '{expected}'")


def _items(at: Instance, expected: JSON) -> Violations:
    if not isinstance(at.value, list):
        return []
    first = len(at.schema.get("prefixItems", ()))
    return [
        violation
        for place in range(first, len(at.value))
        for violation in at.inside(expected, place)
    ]


def _prefix_items(at: Instance, expected: JSON) -> Violations:
    if not isinstance(at.value, list):
        return []
    pairs = zip(expected, range(len(at.value)), strict=False)
    return [violation for schema, place in pairs for violation in at.inside(schema, place)]


def _contains(at: Instance, expected: JSON) -> Violations:
    if not isinstance(at.value, list):
        return []
    least, most = at.schema.get("minContains", 1), at.schema.get("maxContains", len(at.value))
    fitting = [
        place
        for place, item in enumerate(at.value)
        if not at.run.apply(expected, item, (*at.path, place))
    ]
    at.evaluated.places.update(fitting)
    if least <= len(fitting) <= most:
        return []
    keyword = "minContains" if len(fitting) < least else "maxContains"
    return at.not_so(
        keyword, expected, f"{len(fitting)} items of the list are such, not {least} to {most}"
    )


def _unique_items(at: Instance, expected: JSON) -> Violations:
    if not expected or not isinstance(at.value, list):
        return []
    seen = set()
    for item in at.value:
        seen.add(at.run.identity(item))
    if len(seen) == len(at.value):
        return []
    return at.not_so("uniqueItems", expected, "an item of the list is there twice")


def _properties(at: Instance, expected: JSON) -> Violations:
    if not isinstance(at.value, dict):
        return []
    # Whichever are fewer: a schema may name many of which there are none.
    at.run.charge(min(len(expected), len(at.value)))
    names = (
        [name for name in expected if name in at.value]
        if len(expected) <= len(at.value)
        else [name for name in at.value if name in expected]
    )
    return [violation for name in names for violation in at.inside(expected[name], name)]


def _by_pattern(at: Instance, name: str) -> list[JSON]:
    schemas = at.schema.get("patternProperties", {})
    return [schema for pattern, schema in schemas.items() if at.run.match(pattern, name)]


def _pattern_properties(at: Instance, expected: JSON) -> Violations:
    if not isinstance(at.value, dict):
        return []
    return [
        violation
        for name in at.value
        for schema in _by_pattern(at, name)
        for violation in at.inside(schema, name)
    ]


def _additional_properties(at: Instance, expected: JSON) -> Violations:
    if not isinstance(at.value, dict):
        return []
    known = at.schema.get("properties", {})
    extra = [name for name in at.value if name not in known and not _by_pattern(at, name)]
    if expected is not False:
        return [violation for name in extra for violation in at.inside(expected, name)]
    if not extra:
        return []
    named = ", ".join(format_value(name) for name in extra[:20])
    message = f"{named} {'is' if len(extra) == 1 else 'are'} not allowed here"
    return at.not_so("additionalProperties", expected, message, names=tuple(extra))


def _property_names(at: Instance, expected: JSON) -> Violations:
    if not isinstance(at.value, dict):
        return []
    return [
        violation
        for name in at.value
        for violation in at.run.apply(expected, name, (*at.path, name))
    ]


def _required(at: Instance, expected: JSON) -> Violations:
    if not isinstance(at.value, dict):
        return []
    at.run.charge(len(expected) // 10)
    return [
        violation
        for name in expected
        if name not in at.value
        for violation in at.not_so(
            "required", expected, f"{format_value(name)} is a required property", names=(name,)
        )
    ]


def _dependent_required(at: Instance, expected: JSON) -> Violations:
    if not isinstance(at.value, dict):
        return []
    return [
        violation
        for name, others in expected.items()
        if name in at.value
        for violation in _required(at, others)
    ]


def _dependent_schemas(at: Instance, expected: JSON) -> Violations:
    if not isinstance(at.value, dict):
        return []
    at.run.charge(len(expected) // 10)
    return [
        violation
        for name, schema in expected.items()
        if name in at.value
        for violation in at.here(schema)
    ]


def _all_of(at: Instance, expected: JSON) -> Violations:
    return [violation for schema in expected for violation in at.here(schema)]


def _any_of(at: Instance, expected: JSON) -> Violations:
    first: Violations | None = None
    held = False
    for schema in expected:
        found = at.here(schema)
        first = found if first is None else first
        held = held or not found
        # Others may have a say in more of its parts.
        if held and not at.run.schema.tracks:
            break
    if held:
        return []
    message = f"{format_value(at.value)} is allowed by none of the schemas"
    return at.not_so("anyOf", expected, message, causes=tuple(first or ()))


def _one_of(at: Instance, expected: JSON) -> Violations:
    holding = sum(at.holds(schema) for schema in expected)
    if holding == 1:
        return []
    message = (
        f"{format_value(at.value)} is allowed by {holding or 'none'} of the schemas, not by one"
    )
    return at.not_so("oneOf", expected, message)


def _not(at: Instance, expected: JSON) -> Violations:
    if at.run.apply(expected, at.value, at.path):
        return []
    return at.not_so("not", expected, f"{format_value(at.value)} is what it must not be")


def _if(at: Instance, expected: JSON) -> Violations:
    branch = "then" if at.holds(expected) else "else"
    return at.here(at.schema[branch]) if branch in at.schema else []


def _reference(at: Instance, expected: JSON) -> Violations:
    if expected not in at.run.schema.targets:
        raise SchemaFault(f"'{expected}' is not in this schema")
    return at.here(at.run.schema.targets[expected])


def _unevaluated_properties(at: Instance, expected: JSON) -> Violations:
    if not isinstance(at.value, dict):
        return []
    left = [name for name in at.value if name not in at.evaluated.names]
    return [violation for name in left for violation in at.inside(expected, name)]


def _unevaluated_items(at: Instance, expected: JSON) -> Violations:
    if not isinstance(at.value, list):
        return []
    left = [place for place in range(len(at.value)) if place not in at.evaluated.places]
    return [violation for place in left for violation in at.inside(expected, place)]


KEYWORDS: Mapping[str, Callable[[Instance, JSON], Violations]] = {
    # What is cheap, and what bounds the rest, comes first.
    "type": _type,
    "maxItems": _size("maxItems", list, lambda size, most: size <= most, "has more items than"),
    "minItems": _size("minItems", list, lambda size, least: size >= least, "has fewer items than"),
    "maxLength": _size("maxLength", str, lambda size, most: size <= most, "is longer than"),
    "minLength": _size("minLength", str, lambda size, least: size >= least, "is shorter than"),
    "maxProperties": _size(
        "maxProperties", dict, lambda size, most: size <= most, "has more members than"
    ),
    "minProperties": _size(
        "minProperties", dict, lambda size, least: size >= least, "has fewer members than"
    ),
    "enum": _enum,
    "const": _const,
    "minimum": _bound("minimum", lambda value, least: value >= least, "less than"),
    "maximum": _bound("maximum", lambda value, most: value <= most, "greater than"),
    "exclusiveMinimum": _bound(
        "exclusiveMinimum", lambda value, least: value > least, "not greater than"
    ),
    "exclusiveMaximum": _bound(
        "exclusiveMaximum", lambda value, most: value < most, "not less than"
    ),
    "multipleOf": _multiple_of,
    "pattern": _pattern,
    "format": _format,
    "required": _required,
    "dependentRequired": _dependent_required,
    "$ref": _reference,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "propertyNames": _property_names,
    "prefixItems": _prefix_items,
    "items": _items,
    "contains": _contains,
    "uniqueItems": _unique_items,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "dependentSchemas": _dependent_schemas,
    # They see what all others had a say in.
    "unevaluatedProperties": _unevaluated_properties,
    "unevaluatedItems": _unevaluated_items,
}
BOUNDING = frozenset(
    {"type", "maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties"}
)
"""Where one of them is violated, nothing else is looked at."""
