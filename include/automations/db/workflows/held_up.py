"""Automations whose runs stand still because of somebody's act in Airflow, like pausing a DAG."""

from __future__ import annotations

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.orm import Session

from automations.db.tables import Workflow
from automations.domain.statuses import Hold
from automations.domain.workflows import HeldUp


def get(workflow: Workflow) -> HeldUp | None:
    """Why its runs stand still, if they do."""
    if workflow.held_up is None or workflow.held_up_since is None:
        return None
    return HeldUp(workflow.held_up, workflow.held_up_by, workflow.held_up_since)


def put(session: Session, workflow_id: str, held_up: HeldUp) -> None:
    """Note why the runs of an automation stand still."""
    session.execute(
        update(Workflow)
        .where(Workflow.id == workflow_id)
        .values(held_up=held_up.kind, held_up_by=held_up.by, held_up_since=held_up.since)
    )


def end(session: Session, workflow_id: str, kind: Hold) -> None:
    """Note that they stand still for that no more."""
    session.execute(
        update(Workflow)
        .where(Workflow.id == workflow_id, Workflow.held_up == kind)
        .values(held_up=None, held_up_by=None, held_up_since=None)
    )


def kinds(session: Session) -> dict[str, Hold]:
    """Why they stand still, by automation.

    Without those whose DAG is gone that are deleted here, too: nobody is to wait for it.
    """
    rows = session.execute(
        select(Workflow.id, Workflow.held_up).where(
            Workflow.held_up.is_not(None),
            or_(Workflow.deleted_at.is_(None), Workflow.held_up != Hold.DELETED),
        )
    )
    return {workflow_id: kind for workflow_id, kind in rows if kind is not None}


def is_any_gone(session: Session) -> bool:
    """Whether the DAG of an automation is gone that is still to be one."""
    conditions = (Workflow.held_up == Hold.DELETED, Workflow.deleted_at.is_(None))
    return bool(session.scalar(select(exists().where(*conditions))))


def count(session: Session) -> dict[Hold, int]:
    """How many automations there are whose runs stand still, by the reason."""
    rows = session.execute(
        select(Workflow.held_up, func.count())
        .where(Workflow.held_up.is_not(None), Workflow.deleted_at.is_(None))
        .group_by(Workflow.held_up)
    )
    return dict.fromkeys(Hold, 0) | {kind: number for kind, number in rows if kind is not None}
