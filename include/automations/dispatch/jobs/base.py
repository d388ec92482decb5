"""The base classes of job handlers, and the ways to finish a job."""

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
"""For slow jobs: longer than the two minutes that a mail server or a page of a source may take."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What handlers work with; all of it is thread-safe."""

    orchestrator: Orchestrator
    dags: VisibleDags
    ports: Ports


class Handler(ABC):
    """Handles the jobs of one kind; one object serves many threads, so it keeps no state of a job.

    Args:
        kind: the kind of jobs that it handles.
        airflow: whether they need the orchestrator, so that they are held back while that is away.
        batched: whether many are handled at once, by ``handle_all``.
        limited: whether they wait while the orchestrator has as many runs as it may have.
        express: whether express workers handle them; a dispatcher does so only if there are none.
        slow: whether they may wait long for others, so that separate workers handle them, with a
            limit for each workspace: whoever enqueues such a job names its workspace.
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
        """Do a job and remove it, in one transaction with its changes in our database."""

    def handle_all(self, claimed: Sequence[Job]) -> dict[int, Exception]:
        """Do jobs at once and remove them; returns the problems of the others, by job id."""
        raise NotImplementedError

    def give_up(self, job: Job, error: str) -> None:
        """Give up a job, and end its subject if that cannot go on without it."""
        with unit_of_work() as session:
            # If the lease was lost, another worker handles the job now and decides.
            if jobs.dead_letter(session, job, error):
                self.end_subject(session, job.subject_id, error)

    def end_subject(  # noqa: B027 -- most subjects go on without the job
        self, session: Session, subject_id: str, error: str
    ) -> None:
        """End the subject of a job that was given up; by default, nothing ends."""


class AirflowHandler(Handler):
    """Handles jobs that need Airflow; other handlers have no access to it."""

    airflow = True

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._orchestrator = tools.orchestrator
        self._dags = tools.dags


def complete(job: Job) -> None:
    """Remove a job that changes nothing else in our database."""
    with unit_of_work() as session:
        jobs.complete(session, job)


def reschedule_or_finish(session: Session, job: Job, after: timedelta | None) -> None:
    """Put a job back for some time, or remove it if there is nothing left to do."""
    if after is None:
        jobs.complete(session, job)
    else:
        jobs.requeue(session, job, after)
