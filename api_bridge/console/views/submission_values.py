"""The values of a submission under the names of its form's fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api_bridge.console import texts
from automations.domain.forms.schema import DISPLAY, FormField, FormSchema
from automations.kit.values import JSON

_MAX_LABEL = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One value with its label.

    Args:
        key: of the field; empty where the label says it.
        value: None for what was left out.
        document_id: of a file, whose name is the value.
        items: of a section that repeats.
    """

    label: str
    key: str
    value: JSON
    document_id: str | None = None
    items: Sequence[Sequence[Row]] = ()


def rows(schema: Mapping[str, Any], data: Mapping[str, JSON]) -> list[Row]:
    """The values in the order of the form's fields, and behind them what is of no field.

    Args:
        schema: of the version that was filled in.
    """
    shown: list[Row] = []
    left = dict(data)
    for section in FormSchema.model_validate(schema).sections:
        if not section.repeatable:
            shown += _values(section.fields, left)
            continue
        items_data = left.pop(section.items_key, None)
        if isinstance(items_data, list) and all(isinstance(item, dict) for item in items_data):
            items = [_item(section.fields, item) for item in items_data]
            shown.append(Row(_cut(section.title or section.items_key), "", None, items=items))
        elif items_data is not None:
            shown.append(Row(_cut(section.title or section.items_key), "", items_data))
    return shown + [Row(_cut(key), "", value) for key, value in left.items()]


def _item(fields: Sequence[FormField], item: Mapping[str, JSON]) -> list[Row]:
    left = dict(item)
    shown = _values(fields, left)
    return shown + [Row(_cut(key), "", value) for key, value in left.items()]


def _values(fields: Sequence[FormField], left: dict[str, JSON]) -> list[Row]:
    """Rows of fields; what they are of is taken out of what is left."""
    return [_row(field, left.pop(field.key, None)) for field in fields if field.type not in DISPLAY]


def _row(field: FormField, value: JSON) -> Row:
    label, key = _cut(field.label or field.key), field.key if field.label else ""
    if isinstance(value, dict) and isinstance(value.get("documentId"), str):
        return Row(label, key, value.get("filename"), value["documentId"])
    return Row(label, key, _format(field, value))


def _format(field: FormField, value: JSON) -> JSON:
    """A value as people read it: options by their labels."""
    if value in ("", []) and not isinstance(value, bool):
        return None
    if isinstance(value, bool):
        return texts.text("yes" if value else "no")
    labels = {option.value: option.label for option in field.options}
    if isinstance(value, str):
        return labels.get(value, value)
    if isinstance(value, list):
        return [labels.get(item, item) if isinstance(item, str) else item for item in value]
    return value


def _cut(label: str) -> str:
    return label if len(label) <= _MAX_LABEL else f"{label[:_MAX_LABEL]}…"
