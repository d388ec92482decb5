"""Uploaded files of rows, stored for a preview: one per person and table, for a day."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import RowFile

_RETENTION = timedelta(days=1)


def keep(session: Session, table_id: str, editor_id: str, name: str, content: bytes) -> None:
    """Keep a file in place of one that there was; those that nobody went on with are gone."""
    old = RowFile.kept_at < func.clock_timestamp() - _RETENTION
    session.execute(delete(RowFile).where(old))
    new = {"name": name, "content": content, "kept_at": func.clock_timestamp()}
    session.execute(
        insert(RowFile)
        .values(table_id=table_id, editor_id=editor_id, **new)
        .on_conflict_do_update(index_elements=["table_id", "editor_id"], set_=new)
    )


def find(session: Session, table_id: str, editor_id: str, *, lock: bool = False) -> RowFile | None:
    """Somebody's file for a table."""
    query = select(RowFile).where(RowFile.table_id == table_id, RowFile.editor_id == editor_id)
    return session.scalar(query.with_for_update() if lock else query)


def size(session: Session, table_id: str, editor_id: str) -> int:
    """How many bytes somebody's file for a table has; 0 when there is none."""
    query = select(func.length(RowFile.content)).where(
        RowFile.table_id == table_id, RowFile.editor_id == editor_id
    )
    return session.scalar(query) or 0


def remove(session: Session, table_id: str, editor_id: str) -> None:
    """Forget somebody's file for a table."""
    session.execute(
        delete(RowFile).where(RowFile.table_id == table_id, RowFile.editor_id == editor_id)
    )
