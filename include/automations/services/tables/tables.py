"""Tables, with the columns that their rows may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from automations.db.rows import data_tables
from automations.db.session import Session, unit_of_work
from automations.db.tables import DataTable
from automations.db.workflows import workflows
from automations.domain.tables.columns import Category, Column, TableShape, columns_json, columns_of
from automations.errors import Conflict, InUse, NotFound, ValidationFailed
from automations.kit import common_clock
from automations.kit.values import JSON, Errors, from_attributes
from automations.services.audit import audit


@dataclass(frozen=True, slots=True)
class Table:
    """A table without its rows."""

    id: str
    name: str
    description: str
    category: str
    columns: Sequence[Mapping[str, JSON]]
    form_id: str | None
    form_columns: Mapping[str, str]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TableStats:
    """How many rows and columns a table has, and when a row was last added and changed."""

    table_id: str
    rows: int
    columns: int
    last_added: datetime | None
    last_changed: datetime | None


def list_all(workspace_id: str, category: str | None = None) -> Sequence[Table]:
    """All tables of a workspace, newest first."""
    with unit_of_work() as session:
        rows = data_tables.list_page(session, workspace_id, category)
    return [from_attributes(Table, row) for row in rows]


def tree(workspace_id: str) -> list[tuple[str, list[Table]]]:
    """The categories that have tables, and their tables by name."""
    all_tables = sorted(list_all(workspace_id), key=lambda table: (table.name, table.id))
    groups = [
        (category, [table for table in all_tables if table.category == category])
        for category in get_args(Category)
    ]
    return [(category, rows) for category, rows in groups if rows]


def get(workspace_id: str, table_id: str) -> Table:
    """One table."""
    with unit_of_work() as session:
        return from_attributes(Table, find(session, workspace_id, table_id))


def stats(workspace_id: str, table_id: str) -> TableStats:
    """What there is in one table."""
    with unit_of_work() as session:
        table = find(session, workspace_id, table_id)
        rows, last_added, last_changed = data_tables.stats(session, table_id)
    return TableStats(table.id, rows, len(table.columns), last_added, last_changed)


def create(workspace_id: str, shape: TableShape) -> Table:
    """Create a table."""
    with unit_of_work() as session:
        table = _write(session, DataTable(workspace_id=workspace_id), shape)
        audit.record(session, "table.create", table, name=table.name)
        return from_attributes(Table, table)


def replace(
    workspace_id: str, table_id: str, shape: TableShape, *, seen: datetime | None = None
) -> Table:
    """Give a table another shape; rows forget the values of columns that are no more.

    Args:
        seen: when it was changed last, as far as is known; None to replace whatever it is.

    Raises:
        ValidationFailed: a form that fills the table needs another one.
        Conflict: a column in which rows have values would get another type, or the table was
            changed since it was seen.
    """
    with unit_of_work() as session:
        table = find(session, workspace_id, table_id, lock="shape")
        if seen is not None and table.updated_at != seen:
            raise Conflict(
                f"Somebody else has changed the table '{table.name}' meanwhile: load the page "
                "anew to change what it is now."
            )
        _check_filled_columns(table, shape)
        before = {column.key: column.type for column in columns_of(table.columns)}
        after = {column.key: column.type for column in shape.columns}
        for key, kind in before.items():
            changed = key in after and after[key] != kind
            if changed and data_tables.holds(session, table_id, [key]):
                raise Conflict(
                    f"Rows have values in the {kind} column '{key}': add a new column instead."
                )
        dropped = [key for key in before if key not in after]
        if dropped:
            data_tables.drop_values(session, table_id, dropped)
        table.updated_at = common_clock.now()
        _write(session, table, shape)
        audit.record(session, "table.update", table, name=table.name, removedColumns=dropped)
        return from_attributes(Table, table)


def delete(workspace_id: str, table_id: str, *, force: bool = False) -> None:
    """Delete a table with its rows.

    Raises:
        InUse: ACTIVE automations name it, unless it is to be gone all the same.
    """
    with unit_of_work() as session:
        table = find(session, workspace_id, table_id, lock="shape")
        users = () if force else workflows.active_with(session, workspace_id, table_id)
        if users:
            raise InUse(f"table '{table.name}'", users)
        table.deleted_at = common_clock.now()
        audit.record(session, "table.delete", table, name=table.name)


def find(
    session: Session, workspace_id: str, table_id: str, *, lock: str | None = None
) -> DataTable:
    """A table of a workspace.

    Args:
        lock: ``shape`` to change the table, ``rows`` to change rows while its shape stays.

    Raises:
        NotFound: it is not there, or deleted.
    """
    table = data_tables.find(session, workspace_id, table_id, lock=lock)
    if table is None:
        raise NotFound(f"There is no table {table_id}.")
    return table


def writable(session: Session, workspace_id: str, table_id: str) -> DataTable:
    """A table whose rows are added and deleted, and whose shape stays meanwhile.

    Raises:
        NotFound: it is not there, or deleted.
        Conflict: its rows are what was filled into a form.
    """
    table = find(session, workspace_id, table_id, lock="rows")
    if table.form_id is not None:
        raise Conflict(f"The rows of the table '{table.name}' are the submissions of a form.")
    return table


def check_not_filled(table: DataTable, data: Mapping[str, JSON]) -> None:
    """Check that no value is given for a column that a form fills.

    Raises:
        ValidationFailed: names those that are given.
    """
    filled = set(table.form_columns.values())
    problems = {
        f"data.{key}": ["is filled by a form: change the submission"]
        for key in data
        if key in filled
    }
    if problems:
        raise ValidationFailed(problems)


def _check_filled_columns(table: DataTable, shape: TableShape) -> None:
    """Check that the columns that a form fills stay, and that the others may be empty."""
    if table.form_id is None:
        return
    errors: Errors = {}
    if shape.category != table.category:
        errors["category"] = [f"must be {table.category}: the rows are the submissions of a form"]
    filled = set(table.form_columns.values())
    by_key = {column.key: _without_name(column) for column in shape.columns}
    for column in columns_of(table.columns):
        if column.key in filled and by_key.get(column.key) != _without_name(column):
            errors["columns"] = [f"must have '{column.key}' as it is: it is filled by a form"]
    for place, column in enumerate(shape.columns):
        if column.required:
            errors[f"columns.{place}.required"] = ["must be false: a form adds the rows"]
    if errors:
        raise ValidationFailed(errors)


def _without_name(column: Column) -> Column:
    return column.model_copy(update={"name": ""})


def _write(session: Session, table: DataTable, shape: TableShape) -> DataTable:
    table.name, table.description = shape.name, shape.description
    table.category, table.columns = shape.category, columns_json(shape.columns)
    session.add(table)
    session.flush()
    session.refresh(table)
    return table
