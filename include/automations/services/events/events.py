"""Events as clients send and read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from automations.db import events, intake, jobs
from automations.db.session import unit_of_work
from automations.db.tables import JobKind
from automations.definitions.triggers import event_key, is_reserved
from automations.domain.events import Event, EventDetail, EventFilter, NewEvent
from automations.domain.runs import RunSummary
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.kit import cursors
from automations.kit.storable import faults
from automations.kit.values import from_attributes
from automations.services.audit import audit


@dataclass(frozen=True, slots=True)
class Sent:
    """An event from outside.

    Args:
        external_id: the sender's own id; with the source it is taken once.
    """

    type: str
    source: str
    external_id: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an event from outside."""

    event_id: str
    duplicate: bool


def take(workspace_id: str, sent: Sequence[Sent]) -> list[Taken]:
    """Take events from outside, all or none; those that were taken before are told apart.

    Raises:
        ValidationFailed: one is of a type that only the product itself tells of.
    """
    for one in sent:
        if is_reserved(one.type):
            raise ValidationFailed(
                {"type": [f"{one.type} is told by the product itself: choose a name of your own"]}
            )
        given = {"type": one.type, "source": one.source, "id": one.external_id, "data": one.data}
        if wrong := faults(given, ""):
            raise ValidationFailed(wrong)
    taken = []
    with unit_of_work() as session:
        for one in sent:
            event_id, is_new = intake.take(
                session.connection(),
                workspace_id,
                NewEvent(
                    kind=one.type,
                    trigger_key=event_key(one.type),
                    data=one.data,
                    source=one.source,
                    external_id=one.external_id,
                    actors=audit.actors(),
                ),
            )
            taken.append(Taken(event_id, not is_new))
        fresh = [one for one in taken if not one.duplicate]
        if fresh:
            # One line for a batch: the events themselves say what they are and who sent them.
            first = audit.Resource(workspace_id, "event", fresh[0].event_id)
            audit.record(session, "event.take", first, count=len(fresh))
    return taken


def page_after(
    workspace_id: str, wanted: EventFilter, cursor: str | None, size: int
) -> tuple[Sequence[Event], str | None]:
    """The events behind a cursor, newest first, and the cursor to go on with."""
    after = cursors.decode(cursor) if cursor else None
    with unit_of_work() as session:
        found = events.page_after(session, workspace_id, wanted, after, size + 1)
    happened = [from_attributes(Event, row) for row in found]
    return cursors.page(happened, size, lambda event: (event.created_at, event.id))


def get(workspace_id: str, event_id: str) -> EventDetail:
    """One event with the runs that it has started."""
    with unit_of_work() as session:
        event = events.find(session, workspace_id, event_id)
        if event is None:
            raise NotFound(f"There is no event {event_id}.")
        runs = [from_attributes(RunSummary, run) for run in events.runs_of(session, event.id)]
        return EventDetail(from_attributes(Event, event), event.data, runs)


def replay(workspace_id: str, event_id: str) -> Event:
    """Match an event once more: automations that it has started before are not started again.

    Raises:
        NotFound: there is no such event.
        Conflict: it is still to be matched for the first time.
    """
    with unit_of_work() as session:
        event = events.find(session, workspace_id, event_id)
        if event is None:
            raise NotFound(f"There is no event {event_id}.")
        # Whoever has it matched once more starts what it starts.
        event.actors = [*event.actors, *audit.actors()]
        if not events.match_again(session, event):
            raise Conflict("The event is still to be matched.")
        jobs.enqueue(session, JobKind.MATCH_EVENT, event.id)
        session.refresh(event)
        audit.record(session, "event.replay", event, type=event.type)
        return from_attributes(Event, event)
