"""The keywords of JSON Schema, in the order in which they are checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from automations.kit.json_schema import applicators, assertions
from automations.kit.json_schema.instances import Instance, Violations
from automations.kit.values import JSON

KEYWORDS: Mapping[str, Callable[[Instance, JSON], Violations]] = {
    # What is cheap, and what bounds the rest, comes first.
    "type": assertions.type_,
    "maxItems": assertions.size(
        "maxItems", list, lambda size, maximum: size <= maximum, "has more items than"
    ),
    "minItems": assertions.size(
        "minItems", list, lambda size, minimum: size >= minimum, "has fewer items than"
    ),
    "maxLength": assertions.size(
        "maxLength", str, lambda size, maximum: size <= maximum, "is longer than"
    ),
    "minLength": assertions.size(
        "minLength", str, lambda size, minimum: size >= minimum, "is shorter than"
    ),
    "maxProperties": assertions.size(
        "maxProperties", dict, lambda size, maximum: size <= maximum, "has more members than"
    ),
    "minProperties": assertions.size(
        "minProperties", dict, lambda size, minimum: size >= minimum, "has fewer members than"
    ),
    "enum": assertions.enum,
    "const": assertions.const,
    "minimum": assertions.bound("minimum", lambda value, minimum: value >= minimum, "less than"),
    "maximum": assertions.bound("maximum", lambda value, maximum: value <= maximum, "greater than"),
    "exclusiveMinimum": assertions.bound(
        "exclusiveMinimum", lambda value, minimum: value > minimum, "not greater than"
    ),
    "exclusiveMaximum": assertions.bound(
        "exclusiveMaximum", lambda value, maximum: value < maximum, "not less than"
    ),
    "multipleOf": assertions.multiple_of,
    "pattern": assertions.pattern,
    "format": assertions.format_,
    "required": assertions.required,
    "dependentRequired": assertions.dependent_required,
    "$ref": applicators.reference,
    "properties": applicators.properties,
    "patternProperties": applicators.pattern_properties,
    "additionalProperties": applicators.additional_properties,
    "propertyNames": applicators.property_names,
    "prefixItems": applicators.prefix_items,
    "items": applicators.items,
    "contains": applicators.contains,
    "uniqueItems": assertions.unique_items,
    "allOf": applicators.all_of,
    "anyOf": applicators.any_of,
    "oneOf": applicators.one_of,
    "not": applicators.not_,
    "if": applicators.if_,
    "dependentSchemas": applicators.dependent_schemas,
    # They see what all others had a say in.
    "unevaluatedProperties": applicators.unevaluated_properties,
    "unevaluatedItems": applicators.unevaluated_items,
}
BOUNDING = frozenset(
    {"type", "maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties"}
)
"""Where one of them is violated, nothing else is looked at."""
