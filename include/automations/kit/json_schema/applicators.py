"""Keywords that apply other schemas: to the same value, or to what is in it."""

from __future__ import annotations

from automations.kit.json_schema.instances import Instance, Violations
from automations.kit.json_schema.schemas import SchemaFault
from automations.kit.json_schema.violations import format_value
from automations.kit.values import JSON


def items(at: Instance, expected: JSON) -> Violations:
    """``items``: each item behind those of ``prefixItems`` fits."""
    if not isinstance(at.value, list):
        return []
    first = len(at.schema.get("prefixItems", ()))
    return [
        violation
        for place in range(first, len(at.value))
        for violation in at.apply_to(expected, place)
    ]


def prefix_items(at: Instance, expected: JSON) -> Violations:
    """``prefixItems``: each of the first items fits the schema at its place."""
    if not isinstance(at.value, list):
        return []
    pairs = zip(expected, range(len(at.value)), strict=False)
    return [violation for schema, place in pairs for violation in at.apply_to(schema, place)]


def contains(at: Instance, expected: JSON) -> Violations:
    """``contains``: so many items fit as ``minContains`` and ``maxContains`` ask for."""
    if not isinstance(at.value, list):
        return []
    minimum, maximum = at.schema.get("minContains", 1), at.schema.get("maxContains", len(at.value))
    fitting = [
        place
        for place, item in enumerate(at.value)
        if not at.run.apply(expected, item, (*at.path, place))
    ]
    at.evaluated.places.update(fitting)
    if minimum <= len(fitting) <= maximum:
        return []
    keyword = "minContains" if len(fitting) < minimum else "maxContains"
    return at.violation(
        keyword, expected, f"{len(fitting)} items of the list are such, not {minimum} to {maximum}"
    )


def properties(at: Instance, expected: JSON) -> Violations:
    """``properties``: each property fits the schema of its name."""
    if not isinstance(at.value, dict):
        return []
    # Whichever are fewer: a schema may name many of which there are none.
    at.run.charge(min(len(expected), len(at.value)))
    names = (
        [name for name in expected if name in at.value]
        if len(expected) <= len(at.value)
        else [name for name in at.value if name in expected]
    )
    return [violation for name in names for violation in at.apply_to(expected[name], name)]


def _by_pattern(at: Instance, name: str) -> list[JSON]:
    schemas = at.schema.get("patternProperties", {})
    return [schema for pattern, schema in schemas.items() if at.run.match(pattern, name)]


def pattern_properties(at: Instance, expected: JSON) -> Violations:
    """``patternProperties``: each property fits the schemas whose patterns its name matches."""
    if not isinstance(at.value, dict):
        return []
    return [
        violation
        for name in at.value
        for schema in _by_pattern(at, name)
        for violation in at.apply_to(schema, name)
    ]


def additional_properties(at: Instance, expected: JSON) -> Violations:
    """``additionalProperties``: each property that no other keyword names fits."""
    if not isinstance(at.value, dict):
        return []
    declared = at.schema.get("properties", {})
    extra = [name for name in at.value if name not in declared and not _by_pattern(at, name)]
    if expected is not False:
        return [violation for name in extra for violation in at.apply_to(expected, name)]
    if not extra:
        return []
    named = ", ".join(format_value(name) for name in extra[:20])
    message = f"{named} {'is' if len(extra) == 1 else 'are'} not allowed here"
    return at.violation("additionalProperties", expected, message, names=tuple(extra))


def property_names(at: Instance, expected: JSON) -> Violations:
    """``propertyNames``: each name fits."""
    if not isinstance(at.value, dict):
        return []
    return [
        violation
        for name in at.value
        for violation in at.run.apply(expected, name, (*at.path, name))
    ]


def dependent_schemas(at: Instance, expected: JSON) -> Violations:
    """``dependentSchemas``: the value fits the schemas of the properties that it has."""
    if not isinstance(at.value, dict):
        return []
    at.run.charge(len(expected) // 10)
    return [
        violation
        for name, schema in expected.items()
        if name in at.value
        for violation in at.apply(schema)
    ]


def all_of(at: Instance, expected: JSON) -> Violations:
    """``allOf``: the value fits all of the schemas."""
    return [violation for schema in expected for violation in at.apply(schema)]


def any_of(at: Instance, expected: JSON) -> Violations:
    """``anyOf``: the value fits one of the schemas, or several."""
    first: Violations | None = None
    held = False
    for schema in expected:
        violations = at.apply(schema)
        first = violations if first is None else first
        held = held or not violations
        # Others may have a say in more of its parts.
        if held and not at.run.schema.tracks:
            break
    if held:
        return []
    message = f"{format_value(at.value)} is allowed by none of the schemas"
    return at.violation("anyOf", expected, message, causes=tuple(first or ()))


def one_of(at: Instance, expected: JSON) -> Violations:
    """``oneOf``: the value fits exactly one of the schemas."""
    holding = sum(at.holds(schema) for schema in expected)
    if holding == 1:
        return []
    message = (
        f"{format_value(at.value)} is allowed by {holding or 'none'} of the schemas, not by one"
    )
    return at.violation("oneOf", expected, message)


def not_(at: Instance, expected: JSON) -> Violations:
    """``not``: the value does not fit."""
    if at.run.apply(expected, at.value, at.path):
        return []
    return at.violation("not", expected, f"{format_value(at.value)} is what it must not be")


def if_(at: Instance, expected: JSON) -> Violations:
    """``if``: the value fits ``then`` where it fits this, else ``else``."""
    branch = "then" if at.holds(expected) else "else"
    return at.apply(at.schema[branch]) if branch in at.schema else []


def reference(at: Instance, expected: JSON) -> Violations:
    """``$ref``: the value fits the schema at another place."""
    if expected not in at.run.schema.targets:
        raise SchemaFault(f"'{expected}' is not in this schema")
    return at.apply(at.run.schema.targets[expected])


def unevaluated_properties(at: Instance, expected: JSON) -> Violations:
    """``unevaluatedProperties``: each property that no schema has looked at fits."""
    if not isinstance(at.value, dict):
        return []
    left = [name for name in at.value if name not in at.evaluated.names]
    return [violation for name in left for violation in at.apply_to(expected, name)]


def unevaluated_items(at: Instance, expected: JSON) -> Violations:
    """``unevaluatedItems``: each item that no schema has looked at fits."""
    if not isinstance(at.value, list):
        return []
    left = [place for place in range(len(at.value)) if place not in at.evaluated.places]
    return [violation for place in left for violation in at.apply_to(expected, place)]
