"""The table columns for a form's fields: added with new fields, and never removed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from automations.domain.forms.schema import DISPLAY, UNTYPED, FormSchema
from automations.domain.tables.columns import MAX_COLUMNS, Column, ColumnType, value_of
from automations.kit.clock import in_zone
from automations.kit.values import JSON

_TYPES: Mapping[str, ColumnType] = {
    "number": "number",
    "currency": "number",
    "rating": "number",
    "yesno": "boolean",
    "multiselect": "multiselect",
    "checkbox": "multiselect",
    # Without options, which the next version of the form may take away.
    "select": "select",
    "radio": "select",
    "country": "select",
    "date": "date",
    "datetime": "datetime",
    "email": "email",
    "url": "url",
    **dict.fromkeys(UNTYPED, "json"),
}
_MAX_KEY_LENGTH, _MAX_NAME_LENGTH = 90, 200


class _Field(NamedTuple):
    key: str
    label: str
    type: ColumnType
    zone: str = "UTC"

    @property
    def mark(self) -> str:
        """What its column is known by: a field that gets another type gets another column."""
        return f"{self.type}:{self.key}"


def extend(
    columns: Sequence[Column], known_marks: Mapping[str, str], form: Mapping[str, Any]
) -> tuple[list[Column], dict[str, str]]:
    """Columns with those that a form's fields still need, as many as a table may have.

    Args:
        known_marks: the columns' keys by the marks of the fields that they are of.
    """
    result, marks = list(columns), dict(known_marks)
    for field in _fields(form):
        if field.mark not in marks and len(result) < MAX_COLUMNS:
            key = _free(field.key, {column.key for column in result})
            name = field.label.strip()[:_MAX_NAME_LENGTH] or key
            result.append(Column(key=key, name=name, type=field.type))
            marks[field.mark] = key
    return result, marks


def values(
    columns: Sequence[Column],
    known_marks: Mapping[str, str],
    form: Mapping[str, Any],
    data: Mapping[str, JSON],
) -> dict[str, JSON]:
    """What a submission's data is in the columns; what fits none is in the submission only."""
    by_key = {column.key: column for column in columns}
    row: dict[str, JSON] = {}
    for field in _fields(form):
        column, answer = by_key.get(known_marks.get(field.mark, "")), data.get(field.key)
        if column is None or answer is None or (answer == "" and column.type != "text"):
            continue
        try:
            # As who fills in the page is understood, also where a program has sent it.
            if column.type == "datetime" and isinstance(answer, str):
                answer = in_zone(answer, field.zone)
            row[column.key] = value_of(column, answer)
        except ValueError:
            continue
    return row


def _fields(form: Mapping[str, Any]) -> Iterator[_Field]:
    for section in FormSchema.model_validate(form).sections:
        if section.repeatable:
            yield _Field(section.items_key, section.title, "json")
            continue
        for field in section.fields:
            if field.type not in DISPLAY:
                kind = _TYPES.get(field.type, "text")
                yield _Field(field.key, field.label, kind, field.timezone)


def _free(name: str, taken: set[str]) -> str:
    base = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:_MAX_KEY_LENGTH]
    base = f"_{base[1:]}" if base.startswith("-") else base
    key, number = base, 1
    while key in taken:
        number += 1
        key = f"{base}_{number}"
    return key
