"""Effects on our own resources happen once: the record and the effect are one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from automations.db.tables import Effect


def once(session: Session, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``make`` gave for this key the first time; a repeat changes nothing.

    Args:
        key: a step's idempotency key, with a suffix where one step has several effects.
        make: has its effect in this session and returns a JSON object.
    """
    # Two processes may repeat one step at once: the second waits, and then finds the record.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    done = session.get(Effect, key)
    if done is not None:
        return done.result
    result = make()
    session.add(Effect(key=key, result=result))
    return result


def find_recorded(session: Session, key: str) -> dict[str, Any] | None:
    """What was done under this key, before much work is spent on doing it again."""
    done = session.get(Effect, key)
    return None if done is None else done.result
