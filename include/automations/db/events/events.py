"""Events: what happened, what it started, and why it started nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db import keyset_pages
from automations.db.queue import jobs
from automations.db.tables import Event, JobKind, Run, Workflow
from automations.domain.events import EventFilter, NewEvent
from automations.domain.statuses import EventStatus
from automations.kit import tracing
from automations.kit.ids import new_id

_MAX_TRANSACTION_TIME = timedelta(minutes=2)
"""Far longer than one takes that tells of something."""


def find(session: Session, workspace_id: str, event_id: str) -> Event | None:
    """An event of a workspace."""
    return session.scalar(
        select(Event).where(Event.id == event_id, Event.workspace_id == workspace_id)
    )


def page_after(
    session: Session,
    workspace_id: str,
    criteria: EventFilter,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[Event]:
    """The events that come behind one in a list with the newest first."""
    query = select(Event).where(Event.workspace_id == workspace_id)
    query = keyset_pages.equal(query, {Event.type: criteria.type, Event.status: criteria.status})
    query = keyset_pages.between(query, Event.created_at, criteria.since, criteria.until)
    return keyset_pages.page_after(session, query, (Event.created_at, Event.id), after, limit)


def runs_of(session: Session, event_id: str) -> Sequence[Run]:
    """The runs that an event has started."""
    return session.scalars(
        select(Run).where(Run.event_id == event_id).order_by(Run.started_at)
    ).all()


def of_submission(
    session: Session, workspace_id: str, submission_id: str, instants: Sequence[datetime]
) -> Sequence[Event]:
    """What was told of a submission, oldest first.

    Args:
        instants: when something was done with it, which was told in the same transaction.
    """
    near = [
        Event.created_at.between(instant - _MAX_TRANSACTION_TIME, instant + _MAX_TRANSACTION_TIME)
        for instant in instants
    ]
    return session.scalars(
        select(Event)
        .where(
            Event.workspace_id == workspace_id,
            or_(*near),
            Event.data["submissionId"].as_string() == submission_id,
        )
        .order_by(Event.created_at, Event.id)
    ).all()


def of_matter(
    session: Session, workspace_id: str, matter_id: str, limit: int
) -> Sequence[tuple[Event, Run | None, str | None]]:
    """The newest events that a matter was, each with each of its runs and its automation's name."""
    newest = (
        select(Event.id)
        .where(
            Event.workspace_id == workspace_id,
            Event.type.like("MATTER\\_%"),
            Event.data["matterId"].as_string() == matter_id,
        )
        .order_by(Event.created_at.desc(), Event.id.desc())
        .limit(limit)
        .subquery()
    )
    query = (
        select(Event, Run, Workflow.name)
        .join(newest, newest.c.id == Event.id)
        .outerjoin(Run, Run.event_id == Event.id)
        .outerjoin(Workflow, Workflow.id == Run.workflow_id)
        .order_by(Event.created_at.desc(), Event.id.desc(), Run.started_at)
    )
    return [(*row,) for row in session.execute(query)]


def has_started(session: Session, event_id: str, workflow_id: str) -> bool:
    """Whether an event has started an automation."""
    query = select(Run.id).where(Run.event_id == event_id, Run.workflow_id == workflow_id)
    return session.scalar(query) is not None


def status(session: Session, event_id: str) -> EventStatus:
    """Whether an event has been matched."""
    return session.scalars(select(Event.status).where(Event.id == event_id)).one()


def match_again(session: Session, event: Event) -> bool:
    """Set an event back to be matched once more; False while it still is to be."""
    event_id = session.scalar(
        update(Event)
        .where(Event.id == event.id, Event.status != EventStatus.PENDING)
        .values(status=EventStatus.PENDING, reason=None, matched_at=None)
        .returning(Event.id)
    )
    return event_id is not None


def supersede(session: Session, event_id: str, reason: str, *, of_use: bool) -> None:
    """Say that a later event took this one's place; one that is to be matched again still is.

    Args:
        of_use: whether it has started something else, or waits to.
    """
    session.execute(
        update(Event)
        .where(Event.id == event_id, Event.status != EventStatus.PENDING)
        .values(reason=reason, **({} if of_use else {"status": EventStatus.SKIPPED}))
    )


def emit(session: Session, workspace_id: str, new: NewEvent) -> tuple[Event, bool]:
    """Record an event; the dispatcher matches it to automations.

    Returns:
        The event, and whether it is new: one that its source has sent before is given back.
    """
    query = (
        insert(Event)
        .values(
            id=new_id(),
            workspace_id=workspace_id,
            type=new.kind,
            trigger_key=new.trigger_key,
            data=dict(new.data),
            actors=list(new.actors),
            cause_run_id=new.cause,
            source=new.source,
            external_id=new.external_id,
            traceparent=tracing.current(),
        )
        .on_conflict_do_nothing()
        .returning(Event)
    )
    event = session.scalar(query)
    if event is None:
        same_key = select(Event).where(
            Event.workspace_id == workspace_id,
            Event.source == new.source,
            Event.external_id == new.external_id,
        )
        return session.scalars(same_key).one(), False
    jobs.enqueue(session, JobKind.MATCH_EVENT, event.id)
    return event, True
