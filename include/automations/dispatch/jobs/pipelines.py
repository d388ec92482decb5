"""Jobs for pipelines: syncs, and their schedules."""

from __future__ import annotations

import time

from automations.db.queue import jobs
from automations.db.session import Session, unit_of_work
from automations.db.tables import Job, JobKind
from automations.dispatch.jobs.base import Handler, reschedule_or_finish
from automations.errors import StepError
from automations.services.pipelines import pulls

_MAX_READ_TIME = 10.0
"""Seconds; what is begun by then is done well before another dispatcher takes the job over."""


class SyncPipeline(Handler):
    """Reads some pages of a pipeline's source; the job comes back for the next ones."""

    kind = JobKind.SYNC_PIPELINE
    slow = True

    def handle(self, job: Job) -> None:
        until = time.monotonic() + _MAX_READ_TIME
        try:
            more = pulls.advance(job.subject_id, self._ports.http)
            # After a failure only one, so that it is forgiven before there is another.
            while more and not job.failures and time.monotonic() < until:
                more = pulls.advance(job.subject_id, self._ports.http)
        except StepError as error:
            if not pulls.note(job.subject_id, error):
                raise
            more = False
        with unit_of_work() as session:
            if more:
                jobs.requeue(session, job)
            else:
                jobs.complete(session, job)

    def end_subject(self, session: Session, subject_id: str, error: str) -> None:
        """Fail the sync, which nobody else would end."""
        pulls.fail(session, subject_id, error)


class SchedulePipeline(Handler):
    """Begins a sync that is due, and comes back when the next one is."""

    kind = JobKind.SCHEDULE_PIPELINE

    def handle(self, job: Job) -> None:
        with unit_of_work() as session:
            reschedule_or_finish(session, job, pulls.due(session, job.subject_id))
