"""What is checked of a field beside the rules that its form is made from.

A form looks at the top of a field's schema alone, and keeps limits by changing what is typed; what
is under ``allOf`` is checked all the same, and refused in words. A field that refers to other parts
of its schema is followed there, within limits: of what lies beyond these, nothing is checked before
the run is recorded, so only such keywords are followed of which less than all are never stricter
than the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MAX_PARTS = 200
"""Of the schemas in one field's."""
_MAX_DEPTH = 12

_OF_THE_FORM = ("type", "enum", "const", "format")
"""At the top of a field they are as its form wants them."""
_SHOWN = ("title", "description", "description_md", "section", "default", "examples")
"""At the top of a field they are in its form, and ask for nothing."""
_ALIKE = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "required",
)
"""What asks the same of a value here and there."""


def checks_of(part: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be checked of a field; empty when nothing is.

    Args:
        schema: the whole one, to which references lead.
    """
    if isinstance(part, dict) and not _refers(part):
        return {name: rule for name, rule in part.items() if name not in (*_OF_THE_FORM, *_SHOWN)}
    reduced = _Reduced(schema).of(part, top=True)
    return reduced if isinstance(reduced, dict) else {}


def _refers(part: Any) -> bool:
    """Whether a reference is anywhere in it."""
    left = [part]
    while left:
        inner = left.pop()
        if isinstance(inner, dict):
            if "$ref" in inner:
                return True
            left.extend(inner.values())
        elif isinstance(inner, list):
            left.extend(inner)
    return False


def target(reference: Any, schema: Mapping[str, Any]) -> Any:
    """What a reference within a schema leads to; None when that is nothing."""
    node: Any = schema
    path = str(reference).removeprefix("#/").split("/") if reference != "#" else []
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node


class _Reduced:
    """Takes of a schema what is checked."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._left = MAX_PARTS

    def of(self, part: Any, depth: int = 0, *, top: bool = False) -> Any:
        self._left -= 1
        if not isinstance(part, dict) or depth > _MAX_DEPTH or self._left < 0:
            return top or part is not False
        reduced = {name: part[name] for name in _ALIKE if name in part}
        if not top:
            reduced |= {name: part[name] for name in _OF_THE_FORM if name in part}
        reduced |= dict(self._inner(part, depth + 1))
        parts = list(self._both(part, depth + 1, top=top))
        return {**reduced, "allOf": parts} if parts else reduced

    def _inner(self, part: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
        properties, items = part.get("properties"), part.get("items")
        if isinstance(properties, dict):
            yield (
                "properties",
                {
                    name: self.of(property_schema, depth)
                    for name, property_schema in properties.items()
                },
            )
        if part.get("additionalProperties") is False and "patternProperties" not in part:
            yield "additionalProperties", False
        if items is not None and "prefixItems" not in part:
            yield "items", self.of(items, depth)

    def _both(self, part: Mapping[str, Any], depth: int, *, top: bool) -> Iterator[Any]:
        """What must hold beside the rest."""
        listed = part.get("allOf")
        others = list(listed) if isinstance(listed, list) else []
        if "$ref" in part:
            others.append(target(part["$ref"], self._schema))
        reduced = (self.of(alternative, depth, top=top) for alternative in others)
        yield from (alternative for alternative in reduced if alternative not in (True, {}))
