"""What handlers of jobs have in common: what they are given, and how a job leaves their hands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from automations.db.queue import jobs
from automations.db.session import Session, unit_of_work
from automations.db.tables import Job, JobKind
from automations.dispatch.jobs.visibility import VisibleDags
from automations.ports import Orchestrator, Ports

SLOW_LEASE = timedelta(minutes=5)
"""Of a slow job: longer than the two minutes that a mail server may take, or a page of a source."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What handlers work with; all of it is safe to be used by several threads."""

    orchestrator: Orchestrator
    dags: VisibleDags
    ports: Ports


class Handler(ABC):
    """Does the jobs of one kind; one object does many at a time, so it keeps nothing of a job.

    Args:
        kind: the jobs that it does.
        airflow: whether they need the orchestrator, so that they wait while that is away.
        batched: whether many are done in one go, by ``handle_all``.
        limited: whether they wait while the orchestrator has as many runs as it may.
        express: whether express workers do them; a dispatcher only where none is there.
        slow: whether one may wait long for others, so that workers of their own do them, so many
            of each workspace at a time: whoever enqueues one says whose it is.
    """

    kind: ClassVar[JobKind]
    airflow: ClassVar[bool] = False
    batched: ClassVar[bool] = False
    limited: ClassVar[bool] = False
    express: ClassVar[bool] = False
    slow: ClassVar[bool] = False

    def __init__(self, tools: Tools) -> None:
        self._ports = tools.ports

    @abstractmethod
    def handle(self, job: Job) -> None:
        """Do a job and remove it; what it changes here and its end are one transaction."""

    def handle_all(self, claimed: Sequence[Job]) -> dict[int, Exception]:
        """Do jobs in one go and remove them; what kept the others from it, by their ids."""
        raise NotImplementedError

    def give_up(self, job: Job, error: str) -> None:
        """Bury a job, and end what cannot go on without it."""
        with unit_of_work() as session:
            # Who has lost the lease decides nothing: another one handles the job now.
            if jobs.dead_letter(session, job, error):
                self.end_subject(session, job.subject_id, error)

    def end_subject(  # noqa: B027 -- most subjects go on without the job
        self, session: Session, subject_id: str, error: str
    ) -> None:
        """End what the job was for; by itself this ends nothing."""


class AirflowHandler(Handler):
    """Does jobs that need Airflow; others are not given it."""

    airflow = True

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._orchestrator = tools.orchestrator
        self._dags = tools.dags


def done(job: Job) -> None:
    """Remove a job that has changed nothing else here."""
    with unit_of_work() as session:
        jobs.done(session, job)


def reschedule_or_finish(session: Session, job: Job, after: timedelta | None) -> None:
    """Put a job back until then, or remove it when it is not to come back."""
    if after is None:
        jobs.done(session, job)
    else:
        jobs.requeue(session, job, after)
