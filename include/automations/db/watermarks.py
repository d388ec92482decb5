"""Watermarks: how far periodic readers have read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import Watermark
from automations.kit import common_clock


def get(session: Session, name: str) -> str | None:
    """A reader's mark, or None before its first time."""
    watermark = session.get(Watermark, name)
    return watermark.value if watermark else None


def parse(mark: str | None) -> datetime | None:
    """Up to when has been read; None before the first time, and since the clock was set back.

    Of what was stamped by it since then nothing is behind the mark, so it must not be waited for.
    """
    read = datetime.fromisoformat(mark) if mark else None
    return None if read is None or read > common_clock.now() else read


def put(session: Session, name: str, value: str) -> None:
    """Move a reader's mark."""
    session.execute(
        insert(Watermark)
        .values(name=name, value=value)
        .on_conflict_do_update(index_elements=["name"], set_={"value": value})
    )
