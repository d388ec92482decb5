"""Counts hits per key in fixed windows, exactly, over all processes."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import RateLimit


def hit(session: Session, key: str, *, limit: int, seconds: int, by: int = 1) -> int | None:
    """Count a hit, or several; the seconds to wait when it is over the limit, else None."""
    window, left = _window(seconds)
    ends_at = datetime.fromtimestamp((window + 1) * seconds, UTC)
    query = insert(RateLimit).values(key=key, window=window, hits=by, ends_at=ends_at)
    hits = session.scalars(
        query.on_conflict_do_update(
            index_elements=["key", "window"], set_={"hits": RateLimit.hits + by}
        ).returning(RateLimit.hits)
    ).one()
    return left if hits > limit else None


def use_once(session: Session, key: str, until: datetime) -> bool:
    """Use what may be used once; False when it was used before, by whichever process.

    Args:
        until: when it is worth nothing any more, the same at each use.
    """
    window = int(until.timestamp())
    made = insert(RateLimit).values(key=key, window=window, hits=1, ends_at=until)
    query = made.on_conflict_do_nothing().returning(RateLimit.hits)
    return session.scalar(query) is not None


def wait(session: Session, key: str, *, limit: int, seconds: int) -> int | None:
    """The seconds to wait when what was counted is over the limit, else None; counts nothing."""
    window, left = _window(seconds)
    query = select(RateLimit.hits).where(RateLimit.key == key, RateLimit.window == window)
    return left if (session.scalar(query) or 0) > limit else None


def _window(seconds: int) -> tuple[int, int]:
    """The number of the window that is now, and the seconds until it ends."""
    now = int(time.time())
    window = now // seconds
    return window, (window + 1) * seconds - now


def forget_ended(session: Session) -> None:
    """Delete what was counted in windows that are over."""
    session.execute(delete(RateLimit).where(RateLimit.ends_at < func.clock_timestamp()))
