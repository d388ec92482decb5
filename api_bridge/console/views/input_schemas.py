"""A run's input schema as rows to fill in, if it is flat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KINDS: Mapping[str, Mapping[str, str]] = {
    "text": {"type": "string"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "email": {"type": "string", "format": "email"},
}
_AROUND = {"type", "properties", "required", "title", "description", "additionalProperties"}


@dataclass(frozen=True, slots=True)
class Line:
    """One field of the input."""

    key: str
    title: str
    kind: str
    required: bool


def lines(schema: Any) -> Sequence[Line] | None:
    """The fields of a schema; None where it says more than rows can."""
    if schema is None:
        return []
    if not isinstance(schema, Mapping) or set(schema) - _AROUND:
        return None
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if schema.get("type") != "object" or not isinstance(properties, Mapping):
        return None
    if not isinstance(required, list) or set(map(str, required)) - set(properties):
        return None
    described = []
    for key, property_schema in properties.items():
        kind = _kind(property_schema)
        if kind is None:
            return None
        described.append(Line(key, str(property_schema.get("title") or ""), kind, key in required))
    return described


def build_schema(schema: Any, lines_typed: Sequence[Line]) -> dict[str, Any] | None:
    """A schema with these fields, which keep what else it says of them; None when there is none."""
    if not lines_typed:
        return None
    before = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    properties: dict[str, Any] = {}
    for line in lines_typed:
        stored = dict(before.get(line.key) or {})
        if _kind(stored) != line.kind:
            stored = {
                name: stored[name] for name in stored if name not in ("type", "format", "enum")
            }
            stored = {**KINDS.get(line.kind, KINDS["text"]), **stored}
        stored.pop("title", None)
        properties[line.key] = {**stored, **({"title": line.title} if line.title else {})}
    around = {name: value for name, value in (schema or {}).items() if name != "required"}
    result = {**around, "type": "object", "properties": properties}
    required = [line.key for line in lines_typed if line.required]
    return {**result, "required": required} if required else result


def _kind(schema: Any) -> str | None:
    if not isinstance(schema, Mapping):
        return None
    kind, form = schema.get("type"), schema.get("format")
    if kind == "string":
        return str(form) if form in ("date", "email") else "text"
    return str(kind) if kind in ("number", "integer", "boolean") else None
