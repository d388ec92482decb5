"""Exact counts of hits per key over all processes, in a window that begins with the first hit."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from sqlalchemy import case, delete, extract, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import RateLimit

_MAX_WAIT = timedelta(minutes=1)
"""Longer than a hit waits for those before it, one of which may have begun the window."""
_LEFT = extract("epoch", RateLimit.ends_at - func.clock_timestamp())
"""The seconds until a key's window ends, by the one clock that all processes share."""


def hit(session: Session, key: str, *, limit: int, seconds: int, by: int = 1) -> int | None:
    """Count a hit, or several; the seconds to wait when it is over the limit, else None."""
    length = timedelta(seconds=seconds)
    query = insert(RateLimit).values(key=key, hits=by, ends_at=func.clock_timestamp() + length)
    new = query.excluded
    # Both by the moment of this hit: a window that is over gives way to the one begun just now.
    # So is one that ends later than any does which has begun: the clock was set back since.
    is_over = (RateLimit.ends_at <= new.ends_at - length) | (
        RateLimit.ends_at > new.ends_at + max(length, _MAX_WAIT)
    )
    query = query.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "hits": case((is_over, new.hits), else_=RateLimit.hits + new.hits),
            "ends_at": case((is_over, new.ends_at), else_=RateLimit.ends_at),
        },
    )
    hits, left = session.execute(query.returning(RateLimit.hits, _LEFT)).one()
    return _whole(left) if hits > limit else None


def use_once(session: Session, key: str, until: datetime) -> bool:
    """Use what may be used once; False when it was used before, by whichever process.

    Args:
        until: when it is worth nothing any more, the same at each use.
    """
    statement = insert(RateLimit).values(key=key, hits=1, ends_at=until)
    query = statement.on_conflict_do_nothing().returning(RateLimit.hits)
    return session.scalar(query) is not None


def wait(session: Session, key: str, *, limit: int) -> int | None:
    """The seconds to wait when what was counted is over the limit, else None; counts nothing."""
    query = select(_LEFT).where(
        RateLimit.key == key,
        RateLimit.hits > limit,
        RateLimit.ends_at > func.clock_timestamp(),
    )
    left = session.scalar(query)
    return None if left is None else _whole(left)


def _whole(left: float) -> int:
    """Seconds after which the window is over, for who counts in whole ones."""
    return max(1, math.ceil(left))


def forget_ended(session: Session) -> None:
    """Delete what was counted in windows that are over."""
    session.execute(delete(RateLimit).where(RateLimit.ends_at < func.clock_timestamp()))
