"""The immutable versions of automations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Text, cast, func, or_, select
from sqlalchemy.orm import Session

from automations.db.tables import Workflow, WorkflowVersion
from automations.domain.overviews import NamedWorkflow
from automations.domain.workflows import Version

IS_NEWEST = (WorkflowVersion.workflow_id == Workflow.id) & (
    WorkflowVersion.version == Workflow.version
)
"""Joins automations with what they are now."""


def definition(session: Session, workflow_id: str, version: int) -> Mapping[str, Any] | None:
    """The stored JSON of one version."""
    return session.scalar(
        select(WorkflowVersion.definition).where(
            WorkflowVersion.workflow_id == workflow_id, WorkflowVersion.version == version
        )
    )


def newest_with(
    session: Session, workspace_id: str, words: Collection[str], limit: int
) -> list[tuple[NamedWorkflow, Mapping[str, Any]]]:
    """Automations in whose newest version one of some words stands, by name, with what it says."""
    written = cast(WorkflowVersion.definition, Text)
    rows = session.execute(
        select(Workflow.id, Workflow.name, Workflow.status, WorkflowVersion.definition)
        .join(WorkflowVersion, IS_NEWEST)
        .where(
            Workflow.workspace_id == workspace_id,
            Workflow.deleted_at.is_(None),
            or_(*(written.contains(word, autoescape=True) for word in words)),
        )
        .order_by(func.lower(Workflow.name), Workflow.id)
        .limit(limit)
    )
    return [(NamedWorkflow(*row[:3]), row[3]) for row in rows]


def newest_definitions(
    session: Session, workflow_ids: Collection[str]
) -> dict[str, Mapping[str, Any]]:
    """The stored JSON of the newest version of each, by its automation."""
    rows = session.execute(
        select(WorkflowVersion.workflow_id, WorkflowVersion.definition)
        .join(Workflow, IS_NEWEST)
        .where(Workflow.id.in_(workflow_ids))
    )
    return {row[0]: row[1] for row in rows}


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


def list_newest(session: Session, workflow_id: str, limit: int) -> Sequence[Version]:
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
