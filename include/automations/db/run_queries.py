"""Reads runs for clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from automations.db.runs import UNFINISHED
from automations.db.tables import Run, RunStep, StepLog, Wait

_NEWEST_FIRST = (Run.started_at.desc(), Run.id)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of an automation's runs are asked for.

    Args:
        since: started at or after.
        until: started before.
    """

    status: str | None = None
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


def page(
    session: Session, workflow_id: str, wanted: Filter, offset: int, limit: int
) -> Sequence[Run]:
    """One page of an automation's runs, newest first."""
    conditions = wanted.conditions(workflow_id)
    return session.scalars(
        select(Run).where(*conditions).order_by(*_NEWEST_FIRST).offset(offset).limit(limit)
    ).all()


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
    without: str | None = None,
) -> Sequence[Run]:
    """The runs that come behind one in a list with the newest first; a deep list stays fast.

    Args:
        without: a trigger type whose runs are passed over.
    """
    conditions = wanted.conditions(workflow_id)
    if without is not None:
        conditions.append(Run.trigger_type != without)
    if after is not None:
        at, run_id = after
        later = (Run.started_at == at) & (Run.id > run_id)
        conditions.append((Run.started_at < at) | later)
    return session.scalars(
        select(Run).where(*conditions).order_by(*_NEWEST_FIRST).limit(limit)
    ).all()


def in_flight(session: Session, workflow_id: str, before_version: int) -> Sequence[Run]:
    """The unfinished runs of an automation that began on an older version."""
    return session.scalars(
        select(Run)
        .where(
            Run.workflow_id == workflow_id,
            Run.version < before_version,
            Run.status.in_(UNFINISHED),
        )
        .order_by(Run.started_at)
    ).all()


def waiting_nodes(session: Session, run_ids: Sequence[str]) -> dict[str, str]:
    """The nodes that runs wait at, by the run's id."""
    rows = session.execute(
        select(Wait.run_id, Wait.node_id).where(Wait.run_id.in_(run_ids), Wait.status == "OPEN")
    )
    return {run_id: node_id for run_id, node_id in rows}  # noqa: C416 -- a Row is no pair


def find(session: Session, workflow_id: str, run_id: str) -> Run | None:
    """A run of an automation."""
    return session.scalar(select(Run).where(Run.id == run_id, Run.workflow_id == workflow_id))


def steps(session: Session, run_id: str) -> Sequence[RunStep]:
    """Where the nodes of a run stand, in the order in which they were begun."""
    return session.scalars(
        select(RunStep).where(RunStep.run_id == run_id).order_by(RunStep.started_at)
    ).all()


def failed_step(session: Session, run_id: str) -> RunStep | None:
    """The step by which a run has failed last, if it was one."""
    return session.scalar(
        select(RunStep)
        .where(RunStep.run_id == run_id, RunStep.status == "FAILED")
        .order_by(RunStep.ended_at.desc())
        .limit(1)
    )


def logs(session: Session, run_id: str) -> Sequence[StepLog]:
    """A run's log."""
    return session.scalars(
        select(StepLog).where(StepLog.run_id == run_id).order_by(StepLog.id)
    ).all()


def children(session: Session, run_id: str) -> Sequence[Run]:
    """The runs that a run has started."""
    return session.scalars(
        select(Run).where(Run.parent_run_id == run_id).order_by(Run.started_at)
    ).all()


def open_wait(session: Session, run_id: str) -> Wait | None:
    """What a run waits for."""
    return session.scalar(select(Wait).where(Wait.run_id == run_id, Wait.status == "OPEN"))
