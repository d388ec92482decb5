"""Events that are collected by a debounce; each row becomes one run for the last of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.queue import jobs
from automations.db.tables import DebouncedEvents, Event, JobKind, Run
from automations.kit.ids import new_id

_OVERDUE_AFTER = timedelta(seconds=60)
"""After which what is due has lost its job: one that is only late is not to be told twice."""


class DebounceResult(NamedTuple):
    """Where an event was put: which one counts now, which not any more, and when it will start."""

    event_id: str
    replaced_id: str | None
    due_at: datetime


def collect(
    session: Session,
    workflow_id: str,
    key: str,
    event: Event,
    delay: timedelta,
    max_delay: timedelta | None,
) -> DebounceResult:
    """Put an event to those of its key that were not waited for long enough yet.

    The later one counts, by when they were taken, in whatever order they are matched.
    """
    now = func.clock_timestamp()
    query = insert(DebouncedEvents).values(
        id=new_id(),
        workflow_id=workflow_id,
        key=key,
        event_id=event.id,
        event_at=event.created_at,
        due_at=now + delay,
        latest_at=None if max_delay is None else now + max_delay,
    )
    new = query.excluded
    is_later = (new.event_at > DebouncedEvents.event_at) | (
        (new.event_at == DebouncedEvents.event_at) & (new.event_id >= DebouncedEvents.event_id)
    )
    query = query.on_conflict_do_update(
        index_elements=["workflow_id", "key"],
        set_={
            "event_id": case((is_later, new.event_id), else_=DebouncedEvents.event_id),
            "event_at": func.greatest(new.event_at, DebouncedEvents.event_at),
            "replaced_id": case((is_later, DebouncedEvents.event_id), else_=new.event_id),
            "events": DebouncedEvents.events + 1,
            "due_at": func.least(new.due_at, DebouncedEvents.latest_at),
        },
    )
    row = session.execute(
        query.returning(
            DebouncedEvents.id,
            DebouncedEvents.events,
            DebouncedEvents.event_id,
            DebouncedEvents.replaced_id,
            DebouncedEvents.due_at,
        )
    ).one()
    if row.events == 1:
        jobs.enqueue(session, JobKind.END_DEBOUNCE, row.id, delay)
    return DebounceResult(row.event_id, row.replaced_id, row.due_at)


def lock(session: Session, debounce_id: str) -> tuple[DebouncedEvents, timedelta] | None:
    """A row, held for this transaction, and how long it is still to be waited for."""
    row = session.get(DebouncedEvents, debounce_id, with_for_update=True)
    if row is None:
        return None
    now = session.scalars(select(func.clock_timestamp())).one()
    return row, row.due_at - now


def recheck(session: Session, limit: int = 1_000) -> None:
    """Have those ended whose time came a while ago."""
    query = (
        select(DebouncedEvents.id)
        .where(DebouncedEvents.due_at < func.clock_timestamp() - _OVERDUE_AFTER)
        .limit(limit)
    )
    for debounce_id in session.scalars(query).all():
        jobs.enqueue(session, JobKind.END_DEBOUNCE, debounce_id)


def is_of_use(session: Session, event_id: str) -> bool:
    """Whether an event has started a run, or is still to start one."""
    started = select(Run.id).where(Run.event_id == event_id)
    collected = select(DebouncedEvents.id).where(DebouncedEvents.event_id == event_id)
    return bool(session.scalar(select(started.exists() | collected.exists())))
