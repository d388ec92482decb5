"""Events as clients send and read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automations.db.events import events, intake
from automations.db.queue import jobs
from automations.db.session import reading, unit_of_work
from automations.db.tables import JobKind
from automations.definitions.triggers import event_key, is_reserved
from automations.domain.events import Event, EventDetail, EventFilter, NewEvent
from automations.domain.matters import Consequence, StartedRun
from automations.domain.runs import RunSummary
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.kit import cursors
from automations.kit.storable import faults
from automations.kit.values import from_attributes
from automations.services.audit import audit

_OF_A_MATTER = 50


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """An event from outside.

    Args:
        external_id: the sender's own id; with the source it is taken once.
    """

    type: str
    source: str
    external_id: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """What became of an event from outside."""

    event_id: str
    duplicate: bool


def take(workspace_id: str, sent: Sequence[IncomingEvent]) -> list[IntakeResult]:
    """Take events from outside, all or none; those that were taken before are told apart.

    Raises:
        ValidationFailed: one is of a type that only the product itself tells of.
    """
    for place, event in enumerate(sent):
        # In a batch, whose is wrong is said as well.
        path = f"{place}." if len(sent) > 1 else ""
        if is_reserved(event.type):
            message = f"{event.type} is told by the product itself: choose a name of your own"
            raise ValidationFailed({f"{path}type": [message]})
        fields = {
            "type": event.type,
            "source": event.source,
            "id": event.external_id,
            "data": event.data,
        }
        if problems := faults(fields, ""):
            raise ValidationFailed(
                {f"{path}{name}": messages for name, messages in problems.items()}
            )
    taken = []
    with unit_of_work() as session:
        if len(sent) > 1:
            intake.lock_sources(
                session.connection(), workspace_id, (sent_event.source for sent_event in sent)
            )
        for event in sent:
            event_id, is_new = intake.take(
                session.connection(),
                workspace_id,
                NewEvent(
                    kind=event.type,
                    trigger_key=event_key(event.type),
                    data=event.data,
                    source=event.source,
                    external_id=event.external_id,
                    actors=audit.actors(),
                ),
            )
            taken.append(IntakeResult(event_id, not is_new))
        new_receipts = [receipt for receipt in taken if not receipt.duplicate]
        if new_receipts:
            # One line for a batch: the events themselves say what they are and who sent them.
            first = audit.Resource(workspace_id, "event", new_receipts[0].event_id)
            audit.record(session, "event.take", first, count=len(new_receipts))
    return taken


def page_after(
    workspace_id: str, criteria: EventFilter, cursor: str | None, size: int
) -> tuple[Sequence[Event], str | None]:
    """The events after a cursor, newest first, and the next cursor."""
    after = cursors.decode(cursor) if cursor else None
    with unit_of_work() as session:
        rows = events.page_after(session, workspace_id, criteria, after, size + 1)
    happened = [from_attributes(Event, row) for row in rows]
    return cursors.page(happened, size, lambda event: (event.created_at, event.id))


def get(workspace_id: str, event_id: str) -> EventDetail:
    """One event with the runs that it has started."""
    with unit_of_work() as session:
        event = events.find(session, workspace_id, event_id)
        if event is None:
            raise NotFound(f"There is no event {event_id}.")
        runs = [from_attributes(RunSummary, run) for run in events.runs_of(session, event.id)]
        return EventDetail(from_attributes(Event, event), event.data, runs)


def of_submission(
    workspace_id: str, submission_id: str, instants: Sequence[datetime]
) -> Sequence[EventDetail]:
    """What was told of a submission, and the runs that this has started.

    Args:
        instants: when it came in, and when it was decided.
    """
    with reading() as session:
        return [
            EventDetail(
                from_attributes(Event, event),
                event.data,
                [from_attributes(RunSummary, run) for run in events.runs_of(session, event.id)],
            )
            for event in events.of_submission(session, workspace_id, submission_id, instants)
        ]


def of_matter(workspace_id: str, matter_id: str) -> Sequence[Consequence]:
    """What a matter has come to, newest first: its steps that were decided, and runs of those."""
    with unit_of_work() as session:
        rows = events.of_matter(session, workspace_id, matter_id, _OF_A_MATTER)
    runs: dict[str, list[StartedRun]] = {}
    for event, run, name in rows:
        of_event = runs.setdefault(event.id, [])
        if run is not None:
            of_event.append(StartedRun(run.id, str(name), run.status))
    by_id = {event.id: event for event, _, _ in rows}
    return [
        Consequence(
            event_id,
            by_id[event_id].type,
            str(by_id[event_id].data.get("stepName") or ""),
            by_id[event_id].created_at,
            started,
        )
        for event_id, started in runs.items()
    ]


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
        event.actors = list(dict.fromkeys([*event.actors, *audit.actors()]))
        if not events.match_again(session, event):
            raise Conflict("The event is still to be matched.")
        jobs.enqueue(session, JobKind.MATCH_EVENT, event.id)
        session.refresh(event)
        audit.record(session, "event.replay", event, type=event.type)
        return from_attributes(Event, event)
