"""Slots: which runs of a key are in flight, and which wait for one.

A run holds its slot until it ends; slots are counted by these runs, so the count is always right.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from automations.db.queue import jobs
from automations.db.tables import JobKind, Run
from automations.domain.statuses import UNFINISHED, SlotStatus


def lock(session: Session, key: str) -> None:
    """Lock the slots of a key until commit, so that nobody else hands them out."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"slot:{key}", 0))))


def _are(slot: SlotStatus) -> ColumnElement[bool]:
    return (Run.slot == slot) & Run.status.in_(UNFINISHED)


def count_held(session: Session, key: str) -> int:
    """How many runs of a key are in flight."""
    query = select(func.count()).where(Run.slot_key == key, _are(SlotStatus.HELD))
    return session.scalar(query) or 0


def oldest_held(session: Session, key: str) -> Run:
    """The run of a key that has been in flight the longest."""
    query = select(Run).where(Run.slot_key == key, _are(SlotStatus.HELD))
    return session.scalars(query.order_by(Run.started_at, Run.id).limit(1)).one()


def waiting(session: Session, key: str, limit: int) -> list[Run]:
    """Runs of a key that wait, oldest first, locked for this transaction.

    A run that another transaction is changing is skipped; that one then has it considered again.
    """
    return list(
        session.scalars(
            select(Run)
            .where(Run.slot_key == key, _are(SlotStatus.WAITING))
            .order_by(Run.started_at, Run.id)
            .limit(limit)
            .with_for_update(key_share=True, skip_locked=True)
            .execution_options(populate_existing=True)
        )
    )


def hold(session: Session, run_id: str) -> bool:
    """Give a slot to a run that waits for one; False when it does not."""
    held = session.scalar(
        update(Run)
        .where(Run.id == run_id, _are(SlotStatus.WAITING))
        .values(slot=SlotStatus.HELD)
        .returning(Run.id)
    )
    return held is not None


def recheck(session: Session, workflow_id: str | None = None, limit: int = 1_000) -> None:
    """Have slots handed out for every key for which runs wait, of an automation or of all."""
    keys = select(func.min(Run.id)).where(_are(SlotStatus.WAITING))
    query = keys.group_by(Run.slot_key).limit(limit)
    if workflow_id is not None:
        query = query.where(Run.workflow_id == workflow_id)
    for run_id in session.scalars(query).all():
        jobs.enqueue(session, JobKind.ADMIT_RUN, run_id)
