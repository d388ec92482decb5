"""Jobs for events: matched at once, or after a debounce."""

from __future__ import annotations

from automations.db.queue import jobs
from automations.db.session import unit_of_work
from automations.db.tables import Event, Job, JobKind
from automations.dispatch.jobs.base import Handler, reschedule_or_finish
from automations.kit import tracing
from automations.services.events import matching


class MatchEvent(Handler):
    """Starts, or collects, what an event is for."""

    kind = JobKind.MATCH_EVENT

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            event = session.get_one(Event, job.subject_id)
            with tracing.span("match event", traceparent=event.traceparent, event_id=event.id):
                matching.match(session, event)
            jobs.complete(session, job)


class EndDebounce(Handler):
    """Starts the one run of the events that were collected; comes back when more have come."""

    kind = JobKind.END_DEBOUNCE

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            reschedule_or_finish(session, job, matching.end_debounce(session, job.subject_id))
