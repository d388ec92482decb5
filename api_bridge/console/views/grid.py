"""A table's rows as a grid: its filter and order, and the cells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from api_bridge.console.views import conflicts, typed_values, words
from automations.domain.tables.cells import is_nothing, parse_text, text_of
from automations.domain.tables.columns import KEYLESS, Column
from automations.errors import ValidationFailed
from automations.kit.storable import showable
from automations.kit.values import JSON
from automations.ports.tables import RowFilter, RowRule

MAX_COLUMNS, MAX_CELLS, MAX_ROWS = 24, 500, 50
"""Of one page: whoever wants more of a table at once has the export."""
_TEXTUAL = ("contains", "startsWith", "endsWith", "matches")
_NO_VALUE = ("exists", "empty")
_MAX_RULES = 20
_MAX_SEARCHED = 40
"""Columns that are searched by one text: each is a condition of a statement."""


class GridQuery(BaseModel):
    """What the address of a grid asks for.

    Args:
        start, first: the numbers of the row and of the column that it begins with.
        column, operator, value: what is being asked of one column.
        edit, cell: the row that is changed in its place, and of which column only.
    """

    q: str = Field("", max_length=200)
    rule: list[str] = Field(default_factory=list, max_length=_MAX_RULES)
    match: str = Field("", max_length=10)
    sort: str = Field("", max_length=200)
    start: int = Field(1, ge=1, le=1_000_000_000)
    first: int = Field(1, ge=1, le=10_000)
    column: str = Field("", max_length=100)
    operator: str = Field("", max_length=20)
    value: str = Field("", max_length=500)
    edit: str = Field("", max_length=100)
    cell: str = Field("", max_length=100)


@dataclass(frozen=True, slots=True)
class GridView:
    """Which rows and columns a page shows, as its addresses say it."""

    q: str = ""
    rules: tuple[str, ...] = ()
    match: str = ""
    sort: str = ""
    start: int = 1
    first: int = 1

    @classmethod
    def of(cls, asked: GridQuery) -> GridView:
        """What is asked for but for what is open in it."""
        match = asked.match if asked.match == "any" else ""
        rules = tuple(dict.fromkeys(asked.rule))
        return cls(asked.q.strip(), rules, match, asked.sort, asked.start, asked.first)

    def pairs(self, *without: str) -> list[tuple[str, str]]:
        """The names and values of inputs that ask for the same."""
        all_pairs = [
            ("q", self.q),
            *(("rule", rule) for rule in self.rules),
            ("match", self.match),
            ("sort", self.sort),
            ("start", str(self.start) if self.start > 1 else ""),
            ("first", str(self.first) if self.first > 1 else ""),
        ]
        return [(name, value) for name, value in all_pairs if value and name not in without]

    def query(self, *without: str) -> str:
        """The same behind an address."""
        pairs = self.pairs(*without)
        return f"?{urlencode(pairs)}" if pairs else ""

    def with_rule(self, rule: str) -> GridView:
        """With one more rule, from the first row on."""
        return replace(self, rules=tuple(dict.fromkeys((*self.rules, rule))), start=1)


@dataclass(frozen=True, slots=True)
class Chip:
    """A rule in words, and the query of the page without it."""

    words: str
    without: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as a grid shows it."""

    kind: str
    text: str = ""
    instant: datetime | None = None


def rule_of(column: str, operator: str, value: str) -> str:
    """A rule as addresses have it."""
    return f"{column} {operator}" if operator in _NO_VALUE else f"{column} {operator} {value}"


def read_filter(place: GridView, columns: Sequence[Column]) -> RowFilter | None:
    """The filter that a page asks for.

    Raises:
        ValidationFailed: a rule is none that fits a column; it is named.
    """
    by_key = {column.key: column for column in columns}
    rules = [_rule(rule, by_key) for rule in place.rules]
    if place.match and len(rules) > 1:
        rules = [RowRule(match="any", rules=rules)]
    texts = [column for column in columns if column.is_text() and column.type not in KEYLESS]
    if place.q:
        anywhere = [
            RowRule(field=column.key, operator="matches", value=f"(?i){re.escape(place.q)}")
            for column in texts[:_MAX_SEARCHED]
        ]
        if not anywhere:
            raise ValidationFailed({"q": ["there is no column of texts to look in"]})
        rules.append(RowRule(match="any", rules=anywhere))
    return RowFilter(rules=rules) if rules else None


def chips(place: GridView, columns: Sequence[Column]) -> list[Chip]:
    """The rules of a page in words."""
    names = {column.key: column.name for column in columns}
    chips_shown = []
    for rule in place.rules:
        key, operator, value = _parts(rule)
        label = f"{names.get(key, key)} {words.operator(operator)} {value}".strip()
        left = tuple(other for other in place.rules if other != rule)
        chips_shown.append(Chip(label, replace(place, rules=left, start=1).query()))
    return chips_shown


def cells(columns: Sequence[Column], data: Mapping[str, JSON]) -> list[Cell]:
    """The values of a row as a grid shows them."""
    return [cell(column, data.get(column.key)) for column in columns]


def cell(column: Column, value: JSON) -> Cell:
    """A value as a grid shows it: its beginning, where it is long."""
    if value is None:
        return Cell("none")
    if value == "":
        return Cell("empty")
    match column.type:
        case "boolean":
            return Cell("yes" if value else "no")
        case "datetime":
            instant = _parse_time(value)
            return Cell("moment", str(value), instant) if instant else Cell("text", str(value))
        case "select":
            return Cell("mark", _label(column, str(value)))
        case "multiselect":
            return Cell(
                "text", words.short(", ".join(_label(column, str(item)) for item in value)) or "[]"
            )
        case "number":
            return Cell("number", words.short(text_of(column, value)))
        case "json":
            return Cell("code", words.short(text_of(column, showable(value))))
    return Cell("text", words.short(str(value)))


def describe_current(column: Column, value: JSON) -> str:
    """What a value is by now, for whoever has typed another one meanwhile."""
    return conflicts.describe_current("" if value is None else text_of(column, value) or '""')


def _rule(rule: str, columns: Mapping[str, Column]) -> RowRule:
    key, operator, text = _parts(rule)
    column = columns.get(key)
    if column is None or operator not in words.OPERATORS:
        raise ValidationFailed({"filter": [f"'{rule}' asks for nothing that this table has"]})
    raw_rule: dict[str, Any] = {"field": key, "operator": operator}
    if operator not in _NO_VALUE:
        try:
            raw_rule["value"] = _value(column, operator, text)
        except ValueError as error:
            raise ValidationFailed({column.name: [str(error)]}) from error
    return RowRule.model_validate(raw_rule)


def _value(column: Column, operator: str, text: str) -> JSON:
    if operator in _TEXTUAL:
        return typed_values.parse_value(text, column.name) if column.type == "json" else text
    if operator != "in":
        return None if is_nothing(column, text) else parse_text(column, text)
    items = parse_text(Column(key="items", type="multiselect"), text)
    if not all(isinstance(item, str) for item in items):
        raise ValueError('must be texts, such as A; B or ["A", "B"]')
    return [parse_text(column, item) for item in items]


def _parts(rule: str) -> tuple[str, str, str]:
    key, _, rest = rule.partition(" ")
    operator, _, value = rest.partition(" ")
    return key, operator, value


def _label(column: Column, value: str) -> str:
    return (
        next((option.label for option in column.options if option.value == value), value) or value
    )


def _parse_time(value: JSON) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
