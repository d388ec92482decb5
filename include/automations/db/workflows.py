"""Automations and their versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import Session

from automations.db import jobs
from automations.db.tables import Run, Workflow, WorkflowVersion

PUBLISHED = "automations_published"
_REVISION_LOCK = 0x7265766973


@dataclass(frozen=True, slots=True)
class Found:
    """An automation with its newest version and the number of its runs."""

    workflow: Workflow
    version: WorkflowVersion
    runs: int


_Columns = tuple[Workflow, WorkflowVersion, int]


def find(session: Session, workspace_id: str, workflow_id: str) -> Found | None:
    """One automation that is not deleted."""
    query = _found(Workflow.workspace_id == workspace_id, Workflow.id == workflow_id)
    row = session.execute(query).first()
    return _as_found(row) if row else None


def find_all(session: Session, workspace_id: str) -> list[Found]:
    """A workspace's automations, newest first."""
    query = _found(Workflow.workspace_id == workspace_id)
    ordered = query.order_by(Workflow.created_at.desc(), Workflow.number.desc())
    return [_as_found(row) for row in session.execute(ordered)]


def lock(session: Session, workspace_id: str, workflow_id: str) -> Workflow | None:
    """An automation that is not deleted, its row locked for this transaction."""
    return session.scalar(
        select(Workflow)
        .where(
            Workflow.workspace_id == workspace_id,
            Workflow.id == workflow_id,
            Workflow.deleted_at.is_(None),
        )
        .with_for_update()
    )


def find_also_deleted(session: Session, workspace_id: str, workflow_id: str) -> Workflow | None:
    """An automation whose history may be read."""
    return session.scalar(
        select(Workflow).where(Workflow.workspace_id == workspace_id, Workflow.id == workflow_id)
    )


def newest_version(session: Session, workflow: Workflow) -> WorkflowVersion:
    """The version that new runs take."""
    return session.scalars(
        select(WorkflowVersion).where(
            WorkflowVersion.workflow_id == workflow.id,
            WorkflowVersion.version == workflow.version,
        )
    ).one()


def add_version(
    session: Session, workflow: Workflow, definition: dict[str, Any], created_by: str | None
) -> WorkflowVersion:
    """Write the automation's current version number as an immutable version, and publish it."""
    # Held until the commit, so that revisions become visible in their order: a reader that has
    # seen one never misses a lower one.
    session.execute(select(func.pg_advisory_xact_lock(_REVISION_LOCK)))
    newest = session.scalar(select(func.max(WorkflowVersion.revision))) or 0
    version = WorkflowVersion(
        workflow_id=workflow.id,
        version=workflow.version,
        revision=newest + 1,
        status=workflow.status,
        definition=definition,
        created_by=created_by,
    )
    session.add(version)
    session.flush()
    jobs.notify(session, PUBLISHED)
    return version


def count_by_status(session: Session, workspace_id: str) -> dict[str, int]:
    """How many automations there are per status."""
    rows = session.execute(
        select(Workflow.status, func.count())
        .where(Workflow.workspace_id == workspace_id, Workflow.deleted_at.is_(None))
        .group_by(Workflow.status)
    )
    return dict(row._tuple() for row in rows)


def _found(*conditions: ColumnElement[bool]) -> Select[_Columns]:
    runs = select(func.count()).where(Run.workflow_id == Workflow.id).scalar_subquery()
    return (
        select(Workflow, WorkflowVersion, runs)
        .join(
            WorkflowVersion,
            (WorkflowVersion.workflow_id == Workflow.id)
            & (WorkflowVersion.version == Workflow.version),
        )
        .where(Workflow.deleted_at.is_(None), *conditions)
    )


def _as_found(row: Row[_Columns]) -> Found:
    return Found(*row._tuple())
