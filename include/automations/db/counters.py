"""Counters of what has happened: read for the metrics, and compacted from time to time."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from automations.db.tables import counter
from automations.domain.metrics import CounterValue

_COMPACT = text(
    """
    WITH gone AS (DELETE FROM counter RETURNING *)
    INSERT INTO counter (kind, label, outcome, bucket, n, seconds)
    SELECT kind, label, outcome, bucket, sum(n), sum(seconds) FROM gone GROUP BY 1, 2, 3, 4
    """
)


def totals(session: Session) -> Sequence[CounterValue]:
    """Everything that was counted since the beginning; retention takes nothing away."""
    keys = (counter.c.kind, counter.c.label, counter.c.outcome, counter.c.bucket)
    rows = session.execute(
        select(*keys, func.sum(counter.c.n), func.sum(counter.c.seconds)).group_by(*keys)
    )
    return [CounterValue(*row[:4], int(row[4]), row[5]) for row in rows]


def compact(session: Session, *, above: int = 0) -> bool:
    """Put the rows of each count together; False when there are few, or another one does it."""
    held = func.pg_try_advisory_xact_lock(func.hashtextextended("compact counters", 0))
    if (session.scalar(select(func.count()).select_from(counter)) or 0) <= above:
        return False
    if not session.scalar(select(held)):
        return False
    session.execute(_COMPACT)
    return True
