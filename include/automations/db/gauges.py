"""Gauges of the current state, read from small partial indexes."""

from __future__ import annotations

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from automations.db.queue import jobs
from automations.db.runs import in_airflow
from automations.db.tables import Job, Run, Wait
from automations.db.workflows import held_up
from automations.domain.metrics import Gauges
from automations.domain.statuses import UNFINISHED, WaitStatus


def read(session: Session) -> Gauges:
    """The gauges of all workspaces."""
    runs = session.execute(
        select(Run.status, func.count()).where(Run.status.in_(UNFINISHED)).group_by(Run.status)
    )
    waits = session.execute(
        select(Wait.kind, func.count()).where(Wait.status == WaitStatus.OPEN).group_by(Wait.kind)
    )
    now = func.clock_timestamp()
    state = case(
        (Job.dead_at.is_not(None), "dead"), (Job.available_at <= now, "due"), else_="later"
    )
    queued = session.execute(select(Job.kind, state, func.count()).group_by(Job.kind, state))
    oldest = select(func.extract("epoch", now - func.min(Job.available_at))).where(
        Job.dead_at.is_(None)
    )
    return Gauges(
        runs=dict.fromkeys(UNFINISHED, 0) | dict(runs.all()),
        jobs={(kind, name): n for kind, name, n in queued},
        lag=max(0.0, float(session.scalar(oldest) or 0)),
        waits=dict(waits.all()),
        in_airflow=in_airflow.count(session),
        express_workers=jobs.express_workers(session),
        held_up=held_up.count(session),
    )
