"""The columns of tables, and the check that a row fits them."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic.alias_generators import to_camel

from automations.domain.email_addresses import is_address
from automations.domain.fields import Lenient, describe_nulls
from automations.errors import ValidationFailed
from automations.kit.clock import to_utc
from automations.kit.storable import fault
from automations.kit.titles import Name
from automations.kit.values import JSON

ColumnType = Literal[
    "text", "number", "boolean", "date", "datetime", "select", "multiselect", "email", "url",
    "json",
]  # fmt: skip
Category = Literal["SYSTEM", "FORM", "PIPELINE", "USER", "MATTER", "INTEGRATION"]
KEYLESS = ("json", "multiselect")
"""The types of columns that no row can be found by."""
MAX_TEXT_LENGTH = 100_000
"""Of a cell; what is longer is a document."""
MAX_ROW_BYTES = 500_000
"""A row is read, compared and rendered as a whole."""
MAX_COLUMNS = 200
"""Wider than people can read."""
MAX_CHOSEN = 1_000
"""Values of one multiselect."""
_URL = re.compile(r"https?://[^\s]+", re.IGNORECASE)


class _Part(Lenient):
    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, json_schema_extra=describe_nulls
    )


class Option(_Part):
    """One of the values that a select or multiselect may have."""

    label: str = Field(max_length=200)
    value: str = Field(min_length=1, max_length=200)


def _option(value: object) -> object:
    return {"label": value, "value": value} if isinstance(value, str) else value


class Column(_Part):
    """One column."""

    key: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,99}$", description="Where rows have its value."
    )
    name: str = Field("", max_length=200, description="What people see; by default the key.")
    type: ColumnType = Field(description="What its values are.")
    required: bool = Field(False, strict=True, description="Whether every row must have a value.")
    options: list[Annotated[Option, BeforeValidator(_option)]] = Field(
        default_factory=list,
        max_length=500,
        description="What a select or multiselect may be: texts, or label and value; else any.",
    )

    def is_text(self) -> bool:
        """Whether its values are texts, or several of them."""
        return self.type in ("text", "select", "multiselect", "email", "url")

    def may_be_empty(self) -> bool:
        """Whether an empty text is one of its values, and not none at all."""
        return self.type in ("text", "json")

    @model_validator(mode="after")
    def _options_have_a_use(self) -> Self:
        if self.options and self.type not in ("select", "multiselect"):
            raise ValueError("only a select or multiselect has options")
        return self


class TableShape(_Part):
    """A table without its rows."""

    name: Name = Field(description="Its name.")
    description: str = Field("", max_length=5_000)
    category: Category = Field("USER", description="Where its rows come from.")
    columns: list[Column] = Field(min_length=1, max_length=MAX_COLUMNS)

    @model_validator(mode="after")
    def _keys_differ(self) -> Self:
        keys = Counter(column.key for column in self.columns)
        twice = [key for key, count in keys.items() if count > 1]
        if twice:
            raise ValueError(f"several columns have the key {twice[0]}")
        for column in self.columns:
            values = [option.value for option in column.options]
            if len(set(values)) < len(values):
                raise ValueError(f"several options of the column {column.key} have one value")
        return self


def columns_json(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """Columns as they are kept."""
    return [
        {**column.model_dump(by_alias=True), "name": column.name or column.key}
        for column in columns
    ]


def columns_of(stored: Iterable[Any]) -> list[Column]:
    """A table's columns, from what is kept of them."""
    return [Column.model_validate(column) for column in stored]


def validate(
    columns: Sequence[Column],
    data: Mapping[str, JSON],
    path: str = "data",
    before: Mapping[str, JSON] | None = None,
) -> tuple[dict[str, JSON], dict[str, list[str]]]:
    """A row's values as they are kept (nothing is left out), and what is wrong by its path.

    Args:
        before: what is kept of the row that is changed: what is not given of it stays, also where
            its column has asked for something else since.
    """
    row: dict[str, JSON] = {}
    keys = {column.key for column in columns}
    problems = {
        f"{path}.{key}": ["is not a column of this table"] for key in data if key not in keys
    }
    for column in columns:
        if before is not None and column.key not in data:
            if column.key in before:
                row[column.key] = before[column.key]
            continue
        value = data.get(column.key)
        if value is None or (value == "" and (column.required or not column.may_be_empty())):
            if column.required:
                problems[f"{path}.{column.key}"] = ["is required"]
            continue
        try:
            row[column.key] = value_of(column, value)
        except ValueError as error:
            problems[f"{path}.{column.key}"] = [str(error)]
    if not problems and len(json.dumps(row)) > MAX_ROW_BYTES:
        problems[path] = [f"may have {MAX_ROW_BYTES} characters of JSON at most"]
    return row, problems


def row_of(
    columns: Sequence[Column],
    data: Mapping[str, JSON],
    before: Mapping[str, JSON] | None = None,
) -> dict[str, JSON]:
    """A row's values as they are kept.

    Args:
        before: as for ``validate``.

    Raises:
        ValidationFailed: they do not fit the columns, which it names.
    """
    row, problems = validate(columns, data, before=before)
    if problems:
        raise ValidationFailed(problems)
    return row


def row_of_step(columns: Iterable[Column], data: Mapping[str, JSON], zone: str) -> dict[str, JSON]:
    """A row's values as a step of an automation gives them, each by ``from_step``."""
    by_key = {column.key: column for column in columns}
    return {key: from_step(by_key.get(key), value, zone) for key, value in data.items()}


def from_step(column: Column | None, value: JSON, zone: str) -> JSON:
    """A value that a step gives to a column.

    Where a text is meant, a number, which a template may have given, is written as one; a time
    without an offset is one of the zone.
    """
    if column is None:
        return value
    if isinstance(value, list) and column.type != "json":
        return [from_step(column, item, zone) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool) and column.is_text():
        return str(value)
    if isinstance(value, str) and column.type == "datetime":
        try:
            return to_utc(value, zone)
        except ValueError:
            return value  # the column says what is wrong with it
    return value


def with_nulls(columns: Sequence[Column], row: Mapping[str, JSON]) -> dict[str, JSON]:
    """A row's values with null for what it has none of, so that templates can name it."""
    return {column.key: row.get(column.key) for column in columns}


def value_of(column: Column, value: JSON) -> JSON:
    """A column's value as it is kept; ValueError says what is expected."""
    match column.type:
        case "number":
            return _number(value)
        case "boolean":
            if not isinstance(value, bool):
                raise ValueError("must be true or false")
            return value
        case "date":
            return _date(value)
        case "datetime":
            return _instant(value)
        case "multiselect":
            return _several(column, value)
        case "json":
            return _storable(value)
        case _:
            return _text(column, value)


def _text(column: Column, value: JSON) -> str:
    text = _plain(value)
    if column.type == "select":
        return _choice(column, text)
    if column.type == "email" and not is_address(text):
        raise ValueError("must be an e-mail address")
    if column.type == "url" and not _URL.fullmatch(text):
        raise ValueError("must be an http or https address")
    return text


def _plain(value: JSON) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    if len(value) > MAX_TEXT_LENGTH:
        raise ValueError(f"may have {MAX_TEXT_LENGTH} characters at most")
    return str(_storable(value))


def _several(column: Column, value: JSON) -> list[str]:
    if not isinstance(value, list):
        raise ValueError("must be a list of texts")
    if len(value) > MAX_CHOSEN:
        raise ValueError(f"may have {MAX_CHOSEN} items at most")
    choices = {option.value for option in column.options}
    chosen = [_one_of(column, choices, _plain(item)) for item in value]
    twice = next((item for item, number in Counter(chosen).items() if number > 1), None)
    if twice is not None:
        raise ValueError(f"has '{twice[:100]}' twice")
    return chosen


def _choice(column: Column, value: JSON) -> str:
    return _one_of(column, {option.value for option in column.options}, _plain(value))


def _one_of(column: Column, choices: Set[str], text: str) -> str:
    if choices and text not in choices:
        raise ValueError(
            f"must be one of {', '.join(option.value for option in column.options[:20])}"
        )
    return text


def _number(value: JSON) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    if value != value:
        raise ValueError("must be a number")
    if abs(value) > sys.float_info.max:
        raise ValueError("is too large a number")
    return value


def _date(value: JSON) -> str:
    try:
        return date.fromisoformat(_plain(value)).isoformat()
    except ValueError as error:
        raise ValueError("must be a date such as 2026-03-01") from error


def _instant(value: JSON) -> str:
    """An instant as UTC in one form, so that the order of texts is the order in time."""
    try:
        return to_utc(_plain(value), "UTC")
    except ValueError as error:
        raise ValueError("must be a date and time such as 2026-03-01T09:30:00Z") from error


def _storable(value: JSON) -> JSON:
    if (problem := fault(value)) is not None:
        raise ValueError(problem)
    return value


def key_values(
    columns: Sequence[Column], keys: Sequence[str], data: Mapping[str, JSON]
) -> tuple[dict[str, JSON], dict[str, list[str]]]:
    """The values that a row is found by as they are kept, and what is wrong by its path."""
    by_key = {column.key: column for column in columns}
    values: dict[str, JSON] = {}
    problems: dict[str, list[str]] = {}
    for index, key in enumerate(keys):
        column = by_key.get(key)
        if column is None or column.type in KEYLESS:
            problems[f"keys.{index}"] = [f"'{key}' is not a column that rows can be found by"]
        elif data.get(key) in (None, ""):
            problems[f"data.{key}"] = ["is required, because it is a key"]
        else:
            try:
                values[key] = value_of(column, data[key])
            except ValueError as error:
                problems[f"data.{key}"] = [str(error)]
    if not keys:
        problems["keys"] = ["must name at least one column"]
    return values, problems


def key_set(keys: Iterable[str]) -> str:
    """What the hashes of all rows that are found by these columns begin with."""
    return hashlib.sha256(json.dumps(sorted(set(keys))).encode()).hexdigest()[:16]


def key_hash(keys: Iterable[str], row: Mapping[str, JSON]) -> str:
    """One row's hash among those that are found by these columns."""
    values = {key: _whole(row[key]) for key in keys}
    text = json.dumps(values, sort_keys=True)
    return f"{key_set(values)}:{hashlib.sha256(text.encode()).hexdigest()}"


def _whole(value: JSON) -> JSON:
    return int(value) if isinstance(value, float) and value.is_integer() else value
