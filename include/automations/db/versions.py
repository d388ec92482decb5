"""The immutable versions of automations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from automations.db.tables import WorkflowVersion
from automations.domain.workflows import Version


def definition(session: Session, workflow_id: str, version: int) -> Mapping[str, Any] | None:
    """The stored JSON of one version."""
    return session.scalar(
        select(WorkflowVersion.definition).where(
            WorkflowVersion.workflow_id == workflow_id, WorkflowVersion.version == version
        )
    )


def revision(session: Session, workflow_id: str, version: int) -> int:
    """The revision at which a version was written."""
    return session.scalars(
        select(WorkflowVersion.revision).where(
            WorkflowVersion.workflow_id == workflow_id, WorkflowVersion.version == version
        )
    ).one()


def version_at(session: Session, workflow_id: str, at_revision: int) -> int | None:
    """The version in force at a revision."""
    return session.scalar(
        select(WorkflowVersion.version)
        .where(WorkflowVersion.workflow_id == workflow_id, WorkflowVersion.revision <= at_revision)
        .order_by(WorkflowVersion.revision.desc())
        .limit(1)
    )


def listed(session: Session, workflow_id: str, limit: int) -> Sequence[Version]:
    """The newest versions, the newest first, without what they say."""
    rows = session.execute(
        select(
            WorkflowVersion.version,
            WorkflowVersion.status,
            WorkflowVersion.created_by,
            WorkflowVersion.created_at,
        )
        .where(WorkflowVersion.workflow_id == workflow_id)
        .order_by(WorkflowVersion.version.desc())
        .limit(limit)
    )
    return [Version(*row) for row in rows]
