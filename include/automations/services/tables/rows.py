"""Rows of tables; adding or changing one emits an event in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automations.db.events.events import emit
from automations.db.rows import data_rows, keyed_rows
from automations.db.rows.data_rows import RowPosition
from automations.db.session import Session, unit_of_work
from automations.db.tables import DataRow, DataTable
from automations.definitions.triggers import event_key
from automations.domain.events import NewEvent
from automations.domain.tables.columns import (
    Column,
    columns_of,
    key_hash,
    key_values,
    row_of,
    value_of,
    with_nulls,
)
from automations.domain.tables.filters import Order, order_of, validate
from automations.domain.tables.imports import Source, rows_in
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.kit import cursors
from automations.kit.canonical_json import mark_of
from automations.kit.storable import kept_alike, same
from automations.kit.values import JSON
from automations.ports.tables import RowFilter
from automations.services.audit import audit
from automations.services.tables import tables

MAX_NAMED_ROWS = 100
"""How many ids of rows an event of many names."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is shown: with null in the columns that it has no value for."""

    id: str
    table_id: str
    data: Mapping[str, JSON]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows are asked for, in which order, behind which cursor, or behind how many."""

    filter: RowFilter | None = None
    sort: str | None = None
    limit: int = 100
    cursor: str | None = None
    offset: int = 0


def get(workspace_id: str, table_id: str, row_id: str) -> Row:
    """One row."""
    with unit_of_work() as session:
        table = tables.find(session, workspace_id, table_id)
        return _to_row(columns_of(table.columns), _find(session, table, row_id))


def page(workspace_id: str, table_id: str, query: Query) -> tuple[list[Row], str | None]:
    """The rows after a cursor, and the next cursor."""
    with unit_of_work() as session:
        columns = columns_of(tables.find(session, workspace_id, table_id).columns)
        criteria, order = validate(query.filter, columns), order_of(query.sort, columns)
        after = _place(query.cursor, order) if query.cursor else None
        listed = data_rows.page(
            session, table_id, criteria, order, after, query.limit + 1, query.offset
        )
    rows = listed[: query.limit]
    following = _cursor(rows[-1], order) if len(listed) > len(rows) else None
    return [_to_row(columns, row) for row in rows], following


def export(
    workspace_id: str, table_id: str, criteria: RowFilter | None, sort: str | None
) -> Iterator[Mapping[str, JSON]]:
    """The values of every row that a filter lets through, as they are kept, of one moment.

    Raises:
        ValidationFailed: the filter, or the order, does not fit the table's columns.
    """
    with unit_of_work() as session:
        columns = columns_of(tables.find(session, workspace_id, table_id).columns)
        checked_filter, order = validate(criteria, columns), order_of(sort, columns)
        for row in data_rows.all_of(session, table_id, checked_filter, order=order):
            yield row.data


def create(workspace_id: str, table_id: str, data: Mapping[str, JSON]) -> Row:
    """Add a row."""
    with unit_of_work() as session:
        row = add(session, workspace_id, table_id, data)
        _record(session, "row.create", workspace_id, table_id, row.id)
        return row


def change(
    workspace_id: str,
    table_id: str,
    row_id: str,
    data: Mapping[str, JSON],
    seen: Mapping[str, str] | None = None,
) -> Row:
    """Change some values of a row; null takes one away.

    Args:
        seen: the marks of the values that are to be changed, as the caller knows them; None to
            change whatever they are.

    Raises:
        Conflict: one of them is another one by now.
    """
    with unit_of_work() as session:
        if seen is not None:
            _check_unchanged(session, workspace_id, table_id, row_id, seen)
        row = merge(session, workspace_id, table_id, row_id, data)
        _record(session, "row.update", workspace_id, table_id, row_id, fields=sorted(data))
        return row


def delete(workspace_id: str, table_id: str, row_id: str) -> None:
    """Delete a row."""
    with unit_of_work() as session:
        if not remove(session, workspace_id, table_id, row_id):
            raise NotFound(f"The table has no row {row_id}.")
        _record(session, "row.delete", workspace_id, table_id, row_id)


def load(workspace_id: str, table_id: str, source: Source) -> list[str]:
    """Add many rows, all or none of them; they are one event."""
    with unit_of_work() as session:
        return add_many(session, workspace_id, table_id, source)


def add_many(session: Session, workspace_id: str, table_id: str, source: Source) -> list[str]:
    """Add many rows in a transaction, all or none of them; they are one event."""
    table = tables.writable(session, workspace_id, table_id)
    ids = data_rows.add_many(session, table.id, rows_in(columns_of(table.columns), source))
    if ids:
        data = {"rowId": ids[0], "count": len(ids), "rowIds": ids[:MAX_NAMED_ROWS]}
        _announce(session, table, "ROW_ADDED", data, cause=None)
        audit.record(session, "row.import", table, name=table.name, count=len(ids))
    return ids


def add(
    session: Session,
    workspace_id: str,
    table_id: str,
    data: Mapping[str, JSON],
    *,
    cause: str | None = None,
) -> Row:
    """Add a row in a transaction; ``cause`` is the run whose step does it."""
    table = tables.writable(session, workspace_id, table_id)
    columns = columns_of(table.columns)
    new_row = data_rows.add(session, table_id, row_of(columns, data), None)
    return announce(session, table, columns, new_row, "ROW_ADDED", cause)


def merge(
    session: Session,
    workspace_id: str,
    table_id: str,
    row_id: str,
    data: Mapping[str, JSON],
    *,
    cause: str | None = None,
) -> Row:
    """Change some values of a row in a transaction; what changes nothing is no event."""
    table = tables.find(session, workspace_id, table_id, lock="rows")
    tables.check_not_filled(table, data)
    row = _find(session, table, row_id, lock=True)
    return _merge(session, table, row, data, None, cause)


def upsert(
    session: Session,
    workspace_id: str,
    table_id: str,
    keys: Sequence[str],
    data: Mapping[str, JSON],
    *,
    cause: str | None = None,
) -> tuple[Row, bool]:
    """Change the row that has these values in the key columns, or add it; whether it was added.

    Raises:
        ValidationFailed: a key is no column that rows can be found by, or has no value.
    """
    table = tables.writable(session, workspace_id, table_id)
    columns = columns_of(table.columns)
    values, problems = key_values(columns, keys, data)
    if problems:
        raise ValidationFailed(problems)
    existing = keyed_rows.find_one(session, table_id, list(values), values)
    hashed = key_hash(values, values)
    if existing is not None:
        return _merge(session, table, existing, data, hashed, cause), False
    new_row = data_rows.add(session, table_id, row_of(columns, data), hashed)
    return announce(session, table, columns, new_row, "ROW_ADDED", cause), True


def remove(session: Session, workspace_id: str, table_id: str, row_id: str) -> bool:
    """Delete a row in a transaction; False when it is not there."""
    tables.writable(session, workspace_id, table_id)
    return data_rows.remove(session, table_id, row_id)


def announce(
    session: Session,
    table: DataTable,
    columns: Sequence[Column],
    row: DataRow,
    kind: str,
    cause: str | None,
) -> Row:
    """A row that was written, as it is shown; it is an event from then on."""
    announced = _to_row(columns, row)
    _announce(session, table, kind, {"rowId": row.id, "row": dict(announced.data)}, cause)
    return announced


def _check_unchanged(
    session: Session, workspace_id: str, table_id: str, row_id: str, seen: Mapping[str, str]
) -> None:
    """Check that nobody has changed values since they were seen; they stay so until the end."""
    table = tables.find(session, workspace_id, table_id, lock="rows")
    row = _find(session, table, row_id, lock=True)
    names = {column.key: column.name for column in columns_of(table.columns)}
    other = [
        names.get(key, key) for key, mark in seen.items() if mark_of(row.data.get(key)) != mark
    ]
    if other:
        named = ", ".join(f"'{name}'" for name in other[:5])
        raise Conflict(f"Somebody else has changed {named} of this row meanwhile.")


def _record(
    session: Session, action: str, workspace_id: str, table_id: str, row_id: str, **details: JSON
) -> None:
    row = audit.Resource(workspace_id, "data_row", row_id)
    audit.record(session, action, row, tableId=table_id, **details)


def _merge(
    session: Session,
    table: DataTable,
    row: DataRow,
    data: Mapping[str, JSON],
    hashed: str | None,
    cause: str | None,
) -> Row:
    columns = columns_of(table.columns)
    merged = row_of(columns, data, row.data)
    if same(merged, row.data):
        row.key_hash = hashed or row.key_hash
        if not kept_alike(merged, row.data):
            # 1.0 in the place of 1 is shown as it was sent, and changes nothing.
            data_rows.change(session, row, merged, row.key_hash)
        return _to_row(columns, row)
    data_rows.change(session, row, merged, hashed)
    return announce(session, table, columns, row, "RECORD_UPDATED", cause)


def _announce(
    session: Session, table: DataTable, kind: str, data: dict[str, Any], cause: str | None
) -> None:
    emit(
        session,
        table.workspace_id,
        NewEvent(
            kind=kind,
            trigger_key=event_key(kind, table.id),
            data={"tableId": table.id, "tableName": table.name, **data},
            actors=audit.actors(),
            cause=cause,
        ),
    )


def _find(session: Session, table: DataTable, row_id: str, *, lock: bool = False) -> DataRow:
    row = data_rows.find(session, table.id, row_id, lock=lock)
    if row is None:
        raise NotFound(f"The table has no row {row_id}.")
    return row


def _to_row(columns: Sequence[Column], row: DataRow) -> Row:
    data = with_nulls(columns, row.data)
    return Row(row.id, row.table_id, data, row.created_at, row.updated_at)


def _cursor(row: DataRow, order: Order) -> str:
    place = data_rows.place_of(row, order)
    if order.column is None:
        return cursors.encode(place.created_at, place.row_id)
    return cursors.encode(place.created_at, place.row_id, order.column.key, place.value)


def _place(cursor: str, order: Order) -> RowPosition:
    if order.column is None:
        return RowPosition(*cursors.decode(cursor))
    at, row_id, position = cursors.decode_ordered(cursor)
    if len(position) != 2 or position[0] != order.column.key:
        raise cursors.unknown_cursor()
    # A text may have been cut, and an option may be no more: only its type is looked at.
    kind = order.column.type
    plain = Column(key="value", type=kind if kind in ("number", "boolean") else "text")
    try:
        value = None if position[1] is None else value_of(plain, position[1])
    except ValueError as error:
        raise cursors.unknown_cursor() from error
    return RowPosition(at, row_id, value)
