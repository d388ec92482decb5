"""Aggregates of a table's rows, and which columns they apply to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from automations.domain.tables.columns import KEYLESS, Column
from automations.errors import ValidationFailed
from automations.kit.values import JSON, Errors

Function = Literal["count", "sum", "avg", "min", "max"]
_MOMENTS = ("date", "datetime")


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A function of a column's values, or of rows, over all or by the values of another column."""

    function: Function
    column: Column | None
    group_by: Column | None


@dataclass(frozen=True, slots=True)
class AggregateResult:
    """What a function comes to in some rows.

    Args:
        group: what these rows have in common; None for all, and for those without a value.
        rows: how many they are.
    """

    group: JSON
    rows: int
    value: JSON


def validate(
    function: Function, column: str | None, group_by: str | None, columns: Sequence[Column]
) -> Aggregate:
    """An aggregate that fits a table's columns.

    Raises:
        ValidationFailed: it does not fit; the field is named.
    """
    by_key = {each.key: each for each in columns}
    key_fields = {"column": column, "groupBy": group_by}
    errors: Errors = {
        field: [f"'{key}' is not a column of this table"]
        for field, key in key_fields.items()
        if key is not None and key not in by_key
    }
    measured, groups = by_key.get(column or ""), by_key.get(group_by or "")
    if column is None and function != "count":
        errors["column"] = [f"is required for {function}"]
    elif measured is not None and not _fits(function, measured):
        errors["column"] = [f"{function} does not fit a {measured.type} column"]
    if groups is not None and groups.type in KEYLESS:
        errors["groupBy"] = [f"rows cannot be grouped by a {groups.type} column"]
    if errors:
        raise ValidationFailed(errors)
    return Aggregate(function, measured, groups)


def _fits(function: Function, column: Column) -> bool:
    if function == "count" or column.type == "number":
        return True
    return function in ("min", "max") and column.type in _MOMENTS
