"""How far periodic readers have come."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import Watermark


def get(session: Session, name: str) -> str | None:
    """A reader's mark, or None before its first time."""
    found = session.get(Watermark, name)
    return found.value if found else None


def put(session: Session, name: str, value: str) -> None:
    """Move a reader's mark."""
    session.execute(
        insert(Watermark)
        .values(name=name, value=value)
        .on_conflict_do_update(index_elements=["name"], set_={"value": value})
    )
