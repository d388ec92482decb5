"""The tables that people define."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Text, cast, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from automations.db.tables import DataRow, DataTable


def find(
    session: Session, workspace_id: str, table_id: str, *, lock: str | None = None
) -> DataTable | None:
    """A table of a workspace that is not deleted.

    Args:
        lock: ``shape`` to change the table, ``rows`` to change rows while its shape stays.
    """
    query = select(DataTable).where(
        DataTable.id == table_id,
        DataTable.workspace_id == workspace_id,
        DataTable.deleted_at.is_(None),
    )
    if lock is not None:
        query = query.with_for_update(read=lock == "rows").execution_options(populate_existing=True)
    return session.scalar(query)


def of_form(session: Session, form_id: str, *, lock: str) -> DataTable | None:
    """The table whose rows are a form's submissions, locked as by ``find``."""
    query = select(DataTable).where(DataTable.form_id == form_id, DataTable.deleted_at.is_(None))
    query = query.with_for_update(read=lock == "rows").execution_options(populate_existing=True)
    return session.scalar(query)


def list_page(
    session: Session,
    workspace_id: str,
    category: str | None,
    name: str = "",
    offset: int = 0,
    limit: int | None = None,
) -> Sequence[DataTable]:
    """The tables of a workspace from one on, newest first; all of them without a limit.

    Args:
        name: a part of it; empty for all.
    """
    query = select(DataTable).where(
        DataTable.workspace_id == workspace_id, DataTable.deleted_at.is_(None)
    )
    if category is not None:
        query = query.where(DataTable.category == category)
    if name:
        query = query.where(DataTable.name.icontains(name, autoescape=True))
    ordered = query.order_by(DataTable.created_at.desc(), DataTable.id)
    return session.scalars(ordered.offset(offset).limit(limit)).all()


def stats(session: Session, table_id: str) -> tuple[int, datetime | None, datetime | None]:
    """How many rows a table has, and when the last one was added and changed."""
    row = session.execute(
        select(func.count(), func.max(DataRow.created_at), func.max(DataRow.updated_at)).where(
            DataRow.table_id == table_id
        )
    ).one()
    return row[0], row[1], row[2]


def stats_of_each(
    session: Session, table_ids: Sequence[str]
) -> Mapping[str, tuple[int, datetime | None]]:
    """How many rows tables have, and when one of theirs was changed last; none of empty ones."""
    rows = session.execute(
        select(DataRow.table_id, func.count(), func.max(DataRow.updated_at))
        .where(DataRow.table_id.in_(table_ids))
        .group_by(DataRow.table_id)
    )
    return {table_id: (count, changed) for table_id, count, changed in rows}


def holds(session: Session, table_id: str, keys: Sequence[str]) -> bool:
    """Whether any row has a value in one of these columns."""
    has_keys = DataRow.data.has_any(cast(list(keys), ARRAY(Text)))
    return (
        session.scalar(select(DataRow.id).where(DataRow.table_id == table_id, has_keys).limit(1))
        is not None
    )


def drop_values(session: Session, table_id: str, keys: Sequence[str]) -> None:
    """Forget the values that rows have in columns that are no more."""
    dropped = cast(list(keys), ARRAY(Text))
    session.execute(
        update(DataRow)
        .where(DataRow.table_id == table_id, DataRow.data.has_any(dropped))
        .values(data=DataRow.data.op("-")(dropped), key_hash=None)
        .execution_options(synchronize_session=False)
    )
