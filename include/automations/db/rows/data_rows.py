"""Rows of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, repeat
from typing import Any

from psycopg2.errors import QueryCanceled
from sqlalchemy import (
    ColumnElement,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.orm import Session

from automations.db import keyset_pages
from automations.db.rows.row_filters import SORT_LENGTH, comparable, condition, sort_key
from automations.db.tables import DataRow, DataTable
from automations.domain.tables.filters import Group, Order
from automations.errors import ValidationFailed
from automations.kit.ids import new_id
from automations.kit.values import JSON

_AS_MADE = Order()
_BATCH_SIZE = 1_000
"""Rows in a statement, whose parameters PostgreSQL counts with 16 bits."""


@dataclass(frozen=True, slots=True)
class RowPosition:
    """A row's place in an order: its value in the column of the order, if one is, breaks no tie."""

    created_at: datetime
    row_id: str
    value: JSON = None


def place_of(row: DataRow, order: Order) -> RowPosition:
    """Where a row is in an order."""
    value = row.data.get(order.column.key) if order.column else None
    if isinstance(value, str):
        value = value[:SORT_LENGTH]
    return RowPosition(row.created_at, row.id, value)


def find(session: Session, table_id: str, row_id: str, *, lock: bool = False) -> DataRow | None:
    """A row of a table."""
    query = select(DataRow).where(DataRow.id == row_id, DataRow.table_id == table_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalar(query)


def is_there(session: Session, workspace_id: str, row_id: str, table_id: str | None) -> bool:
    """Whether a workspace has a row, in a certain table if one is given."""
    query = (
        select(DataRow.id)
        .join(DataTable, DataTable.id == DataRow.table_id)
        .where(
            DataRow.id == row_id,
            DataTable.workspace_id == workspace_id,
            DataTable.deleted_at.is_(None),
        )
    )
    if table_id is not None:
        query = query.where(DataRow.table_id == table_id)
    return session.scalar(query) is not None


def page(
    session: Session,
    table_id: str,
    criteria: Group,
    order: Order,
    after: RowPosition | None,
    limit: int,
    offset: int = 0,
) -> Sequence[DataRow]:
    """The rows that a filter lets through, behind a place in their order, and behind so many more.

    Raises:
        ValidationFailed: PostgreSQL cannot use a pattern, or the filter takes it too long.
    """
    query = select(DataRow).where(DataRow.table_id == table_id, condition(criteria))
    if after is not None:
        query = query.where(_after(order, after))
    with time_limit(session):
        return session.scalars(
            query.order_by(*_ordering(order)).limit(limit).offset(offset or None)
        ).all()


def all_of(
    session: Session,
    table_id: str,
    criteria: Group,
    since: datetime | None = None,
    until: datetime | None = None,
    order: Order = _AS_MADE,
) -> Iterator[DataRow]:
    """Every row that a filter lets through and that was made in a time, in an order.

    They are of one moment, and a part of them is in memory at a time.

    Raises:
        ValidationFailed: as ``page``.
    """
    query = select(DataRow).where(DataRow.table_id == table_id, condition(criteria))
    query = keyset_pages.between(query, DataRow.created_at, since, until)
    query = query.order_by(*_ordering(order)).execution_options(yield_per=_BATCH_SIZE)
    with time_limit(session):
        yield from session.scalars(query)


@contextmanager
def time_limit(session: Session) -> Iterator[None]:
    """Let no filter take as long as it likes."""
    session.execute(text("SET LOCAL statement_timeout = '20s'"))
    try:
        yield
    except DataError as error:
        raise ValidationFailed({"filter": ["holds a pattern that cannot be used"]}) from error
    except OperationalError as error:
        if isinstance(error.orig, QueryCanceled):
            raise ValidationFailed({"filter": ["takes too long: ask for less"]}) from error
        raise
    session.execute(text("SET LOCAL statement_timeout = DEFAULT"))


def add(
    session: Session,
    table_id: str,
    data: Mapping[str, JSON],
    hashed: str | None,
    *,
    row_id: str | None = None,
) -> DataRow:
    """Insert one row, with a new id unless one is given."""
    row = DataRow(id=row_id or new_id(), table_id=table_id, data=dict(data), key_hash=hashed)
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def add_many(
    session: Session,
    table_id: str,
    rows: Iterable[Mapping[str, JSON]],
    hashes: Sequence[str] | None = None,
) -> list[str]:
    """Insert rows, as they come, and give their ids in the same order."""
    ids: list[str] = []
    hashed: Iterator[str | None] = repeat(None) if hashes is None else iter(hashes)
    values = (
        {"id": new_id(), "table_id": table_id, "data": data, "key_hash": key_hash}
        for data, key_hash in zip(rows, hashed, strict=hashes is not None)
    )
    while batch := list(islice(values, _BATCH_SIZE)):
        session.execute(insert(DataRow), batch)
        ids += [str(row["id"]) for row in batch]
    return ids


def change(session: Session, row: DataRow, data: Mapping[str, JSON], hashed: str | None) -> DataRow:
    """Give a row, which is locked, other values."""
    row.data, row.key_hash = dict(data), hashed
    row.updated_at = func.clock_timestamp()
    session.flush()
    session.refresh(row)
    return row


def remove(session: Session, table_id: str, row_id: str) -> bool:
    """Delete a row; False when it is not there."""
    deleted_id = session.scalar(
        delete(DataRow)
        .where(DataRow.id == row_id, DataRow.table_id == table_id)
        .returning(DataRow.id)
    )
    return deleted_id is not None


def _ordering(order: Order) -> list[ColumnElement[Any]]:
    if order.column is None:
        columns: list[ColumnElement[Any]] = [DataRow.created_at.expression, DataRow.id.expression]
        return [column.desc() for column in columns] if order.descending else columns
    first = sort_key(order.column)
    sorted_by = first.desc() if order.descending else first.asc()
    return [sorted_by.nulls_last(), DataRow.created_at.expression, DataRow.id.expression]


def _after(order: Order, after: RowPosition) -> ColumnElement[bool]:
    place = tuple_(DataRow.created_at, DataRow.id)
    last_place = tuple_(literal(after.created_at), literal(after.row_id))
    if order.column is None:
        return place < last_place if order.descending else place > last_place
    first = sort_key(order.column)
    if after.value is None:
        return and_(first.is_(None), place > last_place)
    value = comparable(order.column, after.value)
    further = first < value if order.descending else first > value
    return or_(first.is_(None), further, and_(first == value, place > last_place))
