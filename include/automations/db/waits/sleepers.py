"""Tasks of the orchestrator that sleep until a pause has ended."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from automations.db.tables import Run, Wait
from automations.domain.statuses import WaitKind, WaitStatus

_BY_TIME = (WaitKind.DELAY, WaitKind.RETRY)
_BATCH_SIZE = 1000
"""More are due later."""


@dataclass(frozen=True, slots=True)
class Sleeper:
    """A task, by its run's id there, and the pause that it sleeps for.

    Args:
        due_at: when the pause ends by itself.
    """

    wait_id: str
    workflow_id: str
    dag_run_id: str
    node_id: str
    due_at: datetime


def list_ended(session: Session, wait_ids: Collection[str]) -> list[Sleeper]:
    """Those of them that sleep for pauses which are over."""
    return _select(session, Wait.id.in_(wait_ids), Wait.status == WaitStatus.ANSWERED)


def due(session: Session, since: datetime, before: datetime) -> list[Sleeper]:
    """Those whose pauses end by themselves since a moment and before another."""
    by_time = Wait.kind.in_(_BY_TIME)
    instants = (Wait.due_at >= since, Wait.due_at < before)
    return _select(session, Wait.status == WaitStatus.OPEN, by_time, *instants)


def _select(session: Session, *conditions: ColumnElement[bool]) -> list[Sleeper]:
    query = (
        select(
            Wait.id,
            Run.workflow_id,
            func.coalesce(Run.dag_run_id, Run.id),
            Wait.node_id,
            Wait.due_at,
        )
        .join(Run, Run.id == Wait.run_id)
        .where(*conditions)
        .order_by(Wait.due_at)
        .limit(_BATCH_SIZE)
    )
    return [Sleeper(*row) for row in session.execute(query)]
