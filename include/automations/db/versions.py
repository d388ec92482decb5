"""The immutable versions of automations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from automations.db.tables import WorkflowVersion


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
