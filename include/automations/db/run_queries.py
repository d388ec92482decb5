"""Reads runs for clients."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from automations.db.tables import Run, RunStep, StepLog, Wait


def page(session: Session, workflow_id: str, offset: int, limit: int) -> tuple[Sequence[Run], int]:
    """One page of an automation's runs, newest first, and how many there are in all."""
    found = session.scalars(
        select(Run)
        .where(Run.workflow_id == workflow_id)
        .order_by(Run.started_at.desc(), Run.id)
        .offset(offset)
        .limit(limit)
    ).all()
    total = session.scalar(select(func.count()).where(Run.workflow_id == workflow_id))
    return found, total or 0


def find(session: Session, workflow_id: str, run_id: str) -> Run | None:
    """A run of an automation."""
    return session.scalar(select(Run).where(Run.id == run_id, Run.workflow_id == workflow_id))


def steps(session: Session, run_id: str) -> Sequence[RunStep]:
    """Where the nodes of a run stand, in the order in which they were begun."""
    return session.scalars(
        select(RunStep).where(RunStep.run_id == run_id).order_by(RunStep.started_at)
    ).all()


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
