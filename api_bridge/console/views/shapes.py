"""A table's name and columns as a form, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from pydantic import ValidationError
from starlette.datastructures import FormData

from api_bridge.console.form_data import text
from api_bridge.console.views import part_lists
from automations.definitions.field_errors import field_errors
from automations.domain.tables.columns import Column, ColumnType, Option, TableShape
from automations.errors import ValidationFailed
from automations.kit.keys import key_of
from automations.kit.line_breaks import as_it_was, normalise_breaks
from automations.kit.values import JSON, Errors

TYPES: tuple[str, ...] = get_args(ColumnType)
_LABEL = " = "
_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*")(?:( = )(.*))?')
_MAX_ROWS = 250
"""More inputs than a table may have columns, so that the rule itself is what refuses them."""
_MAX_KEY = 80
_OF_COLUMN = re.compile(r"columns\.(\d+)\.(\w+)")
_EMPTY_ROWS = 3
"""Columns that a new table is offered."""


@dataclass(frozen=True, slots=True)
class ColumnDraft:
    """A column as it is typed.

    Args:
        was: the key that it has already; empty for a new one.
        options: one a line; with `` = `` behind it what people see instead; in quotes what would
            be read as something else.
    """

    was: str = ""
    key: str = ""
    name: str = ""
    type: str = "text"
    required: bool = False
    options: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether nothing was typed into it."""
        return not (self.was or self.key or self.name or self.options)


@dataclass(frozen=True, slots=True)
class ShapeDraft:
    """A table as it is typed."""

    name: str = ""
    description: str = ""
    columns: tuple[ColumnDraft, ...] = field(default_factory=tuple)

    def removed_columns(self, columns: Sequence[Column]) -> list[Column]:
        """Those of a table's columns that it has no more."""
        left = {column.was for column in self.columns}
        return [column for column in columns if column.key not in left]


_NOTHING = ShapeDraft()


def empty() -> ShapeDraft:
    """What a new table begins with."""
    return ShapeDraft(columns=(ColumnDraft(),) * _EMPTY_ROWS)


def from_shape(name: str, description: str, columns: Sequence[Column]) -> ShapeDraft:
    """A table as it is."""
    drafts = [
        ColumnDraft(
            column.key, column.key, column.name, column.type, column.required, _options(column)
        )
        for column in columns
    ]
    return ShapeDraft(name, description, tuple(drafts))


def read(form: FormData, before: ShapeDraft = _NOTHING) -> ShapeDraft:
    """What was typed.

    Args:
        before: the table as it is: what nobody has touched stays exactly.
    """
    names = {column.was: [column.name] for column in before.columns}
    columns = []
    for place in range(_MAX_ROWS):
        if f"c{place}.name" not in form:
            break
        was = text(form, f"c{place}.was")
        columns.append(
            ColumnDraft(
                was=was,
                key=text(form, f"c{place}.key"),
                name=as_it_was(text(form, f"c{place}.name"), names.get(was, ())),
                type=text(form, f"c{place}.type", "text"),
                required=f"c{place}.required" in form,
                options=text(form, f"c{place}.options"),
            )
        )
    return ShapeDraft(
        as_it_was(text(form, "name"), [before.name]),
        as_it_was(text(form, "description"), [before.description]),
        tuple(columns),
    )


def apply(draft: ShapeDraft, what: str) -> ShapeDraft:
    """What a button makes of it.

    Raises:
        ValidationFailed: there is no such button.
    """
    return replace(draft, columns=part_lists.apply(draft.columns, what, ColumnDraft()))


def shape(draft: ShapeDraft, before: Sequence[Column], category: str = "USER") -> TableShape:
    """The table that is typed; inputs that nothing was typed into are none.

    Args:
        before: the columns that there are, whose options are kept where they were not touched.

    Raises:
        ValidationFailed: it is no table; names the inputs.
    """
    by_key = {column.key: column for column in before}
    taken = {column.was or column.key.strip() for column in draft.columns}
    columns: list[dict[str, JSON]] = []
    places: list[int] = []
    for place, column_draft in enumerate(draft.columns):
        if column_draft.is_blank:
            continue
        key = (
            column_draft.was
            or column_draft.key.strip()
            or key_of(column_draft.name, taken, otherwise="column", longest=_MAX_KEY)
        )
        taken.add(key)
        columns.append({**_column(column_draft, by_key.get(column_draft.was)), "key": key})
        places.append(place)
    raw_shape = {
        "name": draft.name,
        "description": draft.description,
        "category": category,
        "columns": columns,
    }
    try:
        return TableShape.model_validate(raw_shape)
    except ValidationError as error:
        raise ValidationFailed(_problems(field_errors(error, raw_shape), places)) from error


def _column(draft: ColumnDraft, before: Column | None) -> dict[str, JSON]:
    column: dict[str, JSON] = {"name": draft.name, "type": draft.type, "required": draft.required}
    if draft.type not in ("select", "multiselect"):
        return column
    known_options = (
        {_line(option): option.model_dump() for option in before.options} if before else {}
    )
    lines = [line.strip() for line in normalise_breaks(draft.options).split("\n") if line.strip()]
    return {**column, "options": [known_options.get(line) or _option(line) for line in lines]}


def _options(column: Column) -> str:
    return "\n".join(map(_line, column.options))


def _line(option: Option) -> str:
    value = _quote_line(option.value, divides=_LABEL in f" {option.value} ")
    if option.label in ("", option.value):
        return value
    return f"{value}{_LABEL}{_quote_line(option.label)}"


def _quote_line(plain: str, *, divides: bool = False) -> str:
    """A text as a line has it: in quotes, as JSON, where it would be read as something else."""
    is_odd = plain != normalise_breaks(plain).strip() or "\n" in plain or plain.startswith('"')
    return json.dumps(plain, ensure_ascii=False) if divides or is_odd else plain


def _option(line: str) -> dict[str, JSON]:
    quoted = _QUOTED.fullmatch(line)
    value, _, label = quoted.groups() if quoted else line.partition(_LABEL)
    read = _unquote(value)
    return {"value": read, "label": _unquote(label or "") or read}


def _unquote(written: str) -> str:
    bare = written.strip()
    if not bare.startswith('"'):
        return bare
    try:
        plain = json.loads(bare)
    except ValueError:
        return bare
    return plain if isinstance(plain, str) else bare


def _problems(errors: Errors, places: Sequence[int]) -> Errors:
    """What is wrong by the names of inputs, which have the places of all that are shown."""

    def input_name(path: str) -> str:
        match = _OF_COLUMN.match(path)
        return f"c{places[int(match[1])]}.{match[2]}" if match else path

    return {input_name(path): messages for path, messages in errors.items()}
