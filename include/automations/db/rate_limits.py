"""Counts hits per key in fixed windows, exactly, over all processes."""

from __future__ import annotations

import time

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import RateLimit


def hit(session: Session, key: str, *, limit: int, seconds: int, by: int = 1) -> int | None:
    """Count a hit, or several; the seconds to wait when it is over the limit, else None."""
    now = int(time.time())
    window = now // seconds
    query = insert(RateLimit).values(key=key, window=window, hits=by)
    hits = session.scalars(
        query.on_conflict_do_update(
            index_elements=["key", "window"], set_={"hits": RateLimit.hits + by}
        ).returning(RateLimit.hits)
    ).one()
    if hits == by:
        session.execute(delete(RateLimit).where(RateLimit.key == key, RateLimit.window < window))
    return None if hits <= limit else (window + 1) * seconds - now
