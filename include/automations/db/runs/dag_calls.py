"""Runs of other DAGs that steps have requested: requested once, and ended once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.queue import jobs
from automations.db.tables import DagCall, JobKind
from automations.domain.statuses import CALLED, DagCallStatus
from automations.kit.values import JSON


def ask(
    session: Session,
    call_id: str,
    *,
    run_id: str,
    dag_id: str,
    conf: Mapping[str, JSON],
    awaited: bool,
) -> None:
    """Ask for a DagRun; one that was asked for before is left as it is."""
    values = {"id": call_id, "run_id": run_id, "dag_id": dag_id, "awaited": awaited}
    query = insert(DagCall).values(conf=dict(conf), **values).on_conflict_do_nothing()
    if session.scalar(query.returning(DagCall.id)) is not None:
        jobs.enqueue(session, JobKind.CALL_DAG, call_id)


def get(session: Session, call_id: str) -> DagCall:
    """One that was asked for, as it stands now."""
    return session.get_one(DagCall, call_id, populate_existing=True)


def find(session: Session, call_id: str) -> DagCall | None:
    """One by its id, or None for a DagRun that nobody has asked for here."""
    return session.get(DagCall, call_id, populate_existing=True)


def take(session: Session, call_id: str) -> int:
    """Note that a process begins to do it; returns the how manieth it is."""
    query = update(DagCall).where(DagCall.id == call_id).values(takers=DagCall.takers + 1)
    return session.scalars(query.returning(DagCall.takers)).one()


def mark_started(session: Session, call_id: str) -> bool:
    """Note that the DagRun is there; False when it is not wanted any more, or known to be."""
    query = (
        update(DagCall)
        .where(DagCall.id == call_id, DagCall.status == DagCallStatus.REQUESTED)
        .values(status=DagCallStatus.RUNNING)
    )
    return session.scalar(query.returning(DagCall.id)) is not None


def end(
    session: Session,
    call_id: str,
    status: DagCallStatus,
    *,
    outputs: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> bool:
    """Note how it has ended; False when it has ended before."""
    query = (
        update(DagCall)
        .where(DagCall.id == call_id, DagCall.status.in_(CALLED))
        .values(status=status, outputs=outputs, error=error, ended_at=func.clock_timestamp())
    )
    return session.scalar(query.returning(DagCall.id)) is not None


def cancel(session: Session, run_ids: Sequence[str], *, awaited: bool) -> None:
    """Cancel those of some runs, and have them ended in Airflow.

    Args:
        awaited: only those that their runs wait for.
    """
    query = select(DagCall.id).where(DagCall.run_id.in_(run_ids), DagCall.status.in_(CALLED))
    if awaited:
        query = query.where(DagCall.awaited)
    # By id, as everybody locks them.
    call_ids = session.scalars(query.order_by(DagCall.id).with_for_update()).all()
    for call_id in call_ids:
        end(session, call_id, DagCallStatus.CANCELLED)
    jobs.enqueue_all(session, JobKind.END_DAG_RUN, call_ids)


def has_come(call: DagCall) -> bool:
    """Whether what the run waits for has come: its end, or only its beginning."""
    if call.status == DagCallStatus.RUNNING:
        return not call.awaited
    return call.status != DagCallStatus.REQUESTED
