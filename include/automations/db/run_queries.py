"""Reads runs for clients."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, Executable, bindparam, func, select
from sqlalchemy.orm import Session

from automations.db.tables import Run, RunStep, StepLog, Wait, Workflow
from automations.domain.statuses import UNFINISHED, RunStatus, StepStatus, WaitStatus

_NEWEST_FIRST = (Run.started_at.desc(), Run.id)
_SUMMARY = (Run.id, Run.workflow_id, Run.status, Run.started_at, Run.completed_at, Run.error)

# Made once: whoever follows a run asks these again and again.
_RUN_ID: BindParameter[str] = bindparam("run_id")
_WITH_WAIT = (
    select(Run, Workflow.name, Wait)
    .join(Workflow, Workflow.id == Run.workflow_id)
    .outerjoin(Wait, (Wait.run_id == Run.id) & (Wait.status == WaitStatus.OPEN))
    .where(Run.id == _RUN_ID, Run.workflow_id == bindparam("workflow_id"))
    .where(Workflow.workspace_id == bindparam("workspace_id"))
    .limit(1)
)
_STEPS = select(RunStep).where(RunStep.run_id == _RUN_ID).order_by(RunStep.started_at)
_LOGS = select(StepLog).where(StepLog.run_id == _RUN_ID).order_by(StepLog.id)
_CHILDREN = select(*_SUMMARY).where(Run.parent_run_id == _RUN_ID).order_by(Run.started_at)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of an automation's runs are asked for.

    Args:
        since: started at or after.
        until: started before.
    """

    status: RunStatus | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self, workflow_id: str) -> list[ColumnElement[bool]]:
        """The same as conditions on the run's row."""
        found = [Run.workflow_id == workflow_id]
        if self.status is not None:
            found.append(Run.status == self.status)
        if self.since is not None:
            found.append(Run.started_at >= self.since)
        if self.until is not None:
            found.append(Run.started_at < self.until)
        return found


@dataclass(frozen=True, slots=True)
class Summary:
    """What lists show of a run; what it was given and has made may be large, and stays behind."""

    id: str
    workflow_id: str
    status: RunStatus
    started_at: datetime
    completed_at: datetime | None
    error: str | None


def page(
    session: Session, workspace_id: str, workflow_id: str, wanted: Filter, offset: int, limit: int
) -> Sequence[Summary]:
    """One page of the runs of an automation of a workspace, newest first."""
    query = select(*_SUMMARY).where(
        *wanted.conditions(workflow_id), Run.workspace_id == workspace_id
    )
    return _summaries(session, query.order_by(*_NEWEST_FIRST).offset(offset).limit(limit))


def count(session: Session, workflow_id: str, wanted: Filter) -> int:
    """How many of an automation's runs are asked for, by counting them."""
    conditions = wanted.conditions(workflow_id)
    return session.scalar(select(func.count()).select_from(Run).where(*conditions)) or 0


def behind(
    session: Session,
    workflow_id: str,
    wanted: Filter,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[Summary]:
    """The runs that come behind one in a list with the newest first; a deep list stays fast."""
    conditions = wanted.conditions(workflow_id)
    if after is not None:
        at, run_id = after
        later = (Run.started_at == at) & (Run.id > run_id)
        conditions.append((Run.started_at < at) | later)
    query = select(*_SUMMARY).where(*conditions)
    return _summaries(session, query.order_by(*_NEWEST_FIRST).limit(limit))


def newest(
    session: Session, workflow_id: str, wanted: Filter, limit: int, without: str
) -> Sequence[Run]:
    """The newest runs that are asked for, whole.

    Args:
        without: a trigger type whose runs are passed over.
    """
    conditions = [*wanted.conditions(workflow_id), Run.trigger_type != without]
    return session.scalars(
        select(Run).where(*conditions).order_by(*_NEWEST_FIRST).limit(limit)
    ).all()


def _summaries(session: Session, query: Executable, **values: str) -> Sequence[Summary]:
    return [Summary(*row) for row in session.execute(query, values)]


def in_flight(
    session: Session, workflow_id: str, before_version: int, kept: Collection[str]
) -> tuple[int, dict[str, str]]:
    """The unfinished runs of an automation that began on an older version.

    Returns:
        How many they are, and where those wait that wait at a node which is not kept, by run.
    """
    older = (
        Run.workflow_id == workflow_id,
        Run.version < before_version,
        Run.status.in_(UNFINISHED),
    )
    number = session.scalar(select(func.count()).select_from(Run).where(*older)) or 0
    rows = session.execute(
        select(Wait.run_id, Wait.node_id)
        .join(Run, Run.id == Wait.run_id)
        .where(*older, Wait.status == WaitStatus.OPEN, Wait.node_id.not_in(kept))
        .order_by(Run.started_at, Run.id)
    )
    return number, {run_id: node_id for run_id, node_id in rows}  # noqa: C416 -- a Row is no pair


def find(session: Session, workflow_id: str, run_id: str) -> Run | None:
    """A run of an automation."""
    return session.scalar(select(Run).where(Run.id == run_id, Run.workflow_id == workflow_id))


def with_wait(
    session: Session, workspace_id: str, workflow_id: str, run_id: str
) -> tuple[Run, str, Wait | None] | None:
    """A run of an automation of a workspace, the automation's name, and what the run waits for."""
    values = {"workspace_id": workspace_id, "workflow_id": workflow_id, "run_id": run_id}
    found = session.execute(_WITH_WAIT, values).first()
    return (found[0], found[1], found[2]) if found else None


def steps(session: Session, run_id: str) -> Sequence[RunStep]:
    """Where the nodes of a run stand, in the order in which they were begun."""
    return session.scalars(_STEPS, {"run_id": run_id}).all()


def failed_step(session: Session, run_id: str) -> RunStep | None:
    """The step by which a run has failed last, if it was one."""
    return session.scalar(
        select(RunStep)
        .where(RunStep.run_id == run_id, RunStep.status == StepStatus.FAILED)
        .order_by(RunStep.ended_at.desc())
        .limit(1)
    )


def logs(session: Session, run_id: str) -> Sequence[StepLog]:
    """A run's log."""
    return session.scalars(_LOGS, {"run_id": run_id}).all()


def children(session: Session, run_id: str) -> Sequence[Summary]:
    """The runs that a run has started."""
    return _summaries(session, _CHILDREN, run_id=run_id)
