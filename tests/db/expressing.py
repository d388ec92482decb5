"""Runs of express automations, as execute leaves them, and who does them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from automations.db.queue import jobs
from automations.db.session import unit_of_work
from automations.db.tables import Job, JobKind, Run
from automations.execution.engine import Engine
from automations.execution.express import ExpressLeg
from tests.db.runs import begin

MINUTE = timedelta(minutes=1)


def started(*steps: dict[str, Any], **more: Any) -> Run:
    """A run whose first steps are to be done by an express worker."""
    run = begin(*steps, execution="express", **more)
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run.id).values(express=True))
        jobs.enqueue(session, JobKind.EXPRESS_RUN, run.id)
    return run


def claimed() -> Job:
    """The one job for express workers, claimed."""
    with unit_of_work() as session:
        (job,) = jobs.claim(session, 10, [JobKind.EXPRESS_RUN])
        return job


def come_back() -> None:
    """What happens to the job when its holder has died."""
    with unit_of_work() as session:
        due = {"available_at": Job.created_at, "holder": None}
        session.execute(update(Job).where(Job.kind == JobKind.EXPRESS_RUN).values(**due))


def lead(
    engine: Engine, budget: timedelta = MINUTE, may_go_on: Callable[[], bool] = lambda: True
) -> None:
    """What an express worker does of the one run that there is."""
    ExpressLeg(engine, claimed(), budget, may_go_on).run()


def queued(run: Run) -> list[str]:
    """The kinds of the jobs that bring a run to whoever does it or shows it."""
    kinds = (JobKind.EXPRESS_RUN, JobKind.SHOW_RUN, JobKind.START_RUN, JobKind.START_CHILD)
    with unit_of_work() as session:
        query = select(Job.kind).where(Job.subject_id == run.id, Job.kind.in_(kinds))
        return list(session.scalars(query))
