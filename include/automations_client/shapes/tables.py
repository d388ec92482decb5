"""Tables and rows, as the API answers with them."""

from __future__ import annotations

from typing import Literal, TypeAlias

# The description of the API is made from these, by pydantic: it reads typing's own TypedDict only
# from Python 3.12 on.
from typing_extensions import TypedDict

from automations_client.shapes.json_values import Json

TableCategory: TypeAlias = Literal["SYSTEM", "FORM", "PIPELINE", "USER", "MATTER", "INTEGRATION"]


class Table(TypedDict):
    """A table; its rows are the submissions of a form, if ``formId`` names one."""

    id: str
    name: str
    description: str
    category: TableCategory
    formId: str | None
    columns: list[Json]
    createdAt: str
    updatedAt: str


class TableStats(TypedDict):
    """A table's size and when its rows last changed."""

    tableId: str
    rowCount: int
    columnCount: int
    lastRowAddedAt: str | None
    lastRowChangedAt: str | None


class TableGroup(TypedDict):
    """The tables of one category, by name."""

    category: TableCategory
    tables: list[Table]


class GroupAggregate(TypedDict):
    """An aggregate of the rows that have one value; ``group`` is None for those without."""

    group: str | int | float | bool | None
    value: str | int | float | None
    rowCount: int


class Aggregate(TypedDict):
    """An aggregate of rows, and of those groups that have the most of them."""

    tableId: str
    function: Literal["count", "sum", "avg", "min", "max"]
    column: str | None
    groupBy: str | None
    value: str | int | float | None
    rowCount: int
    groups: list[GroupAggregate]
    truncated: bool


class Row(TypedDict):
    """A table's row; ``data`` has its values by column key."""

    id: str
    tableId: str
    data: Json
    createdAt: str
    updatedAt: str


class ImportedRows(TypedDict):
    """What was imported; ``rowIds`` are those of the first rows."""

    count: int
    rowIds: list[str]
