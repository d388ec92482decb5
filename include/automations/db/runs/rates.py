"""How many runs of a key began in a sliding window; the runs themselves are counted."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from automations.db.tables import Run


def time_to_wait(session: Session, key: str, limit: int, per: timedelta) -> timedelta | None:
    """How long until one more may begin; None when it may now.

    Who is told so is the only one to begin a run of the key until commit.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"rate:{key}", 0))))
    newest = (
        select(Run.started_at)
        .where(
            Run.rate_key == key,
            Run.started_at > func.clock_timestamp() - per,
            # What began later than now began before the clock was set back.
            Run.started_at <= func.clock_timestamp(),
        )
        .order_by(Run.started_at.desc())
        .limit(limit)
        .subquery()
    )
    count, left = session.execute(
        select(func.count(), func.min(newest.c.started_at) + per - func.clock_timestamp())
    ).one()
    return max(left, timedelta(0)) if count >= limit else None
