"""Automations as they are stored, without what services check of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from automations.db.session import Session, unit_of_work
from automations.db.tables import Workflow, WorkflowVersion, Workspace
from automations.kit.ids import new_id


def insert(
    session: Session,
    definition: dict[str, Any],
    *,
    workspace_id: str | None = None,
    status: str = "ACTIVE",
    trigger_key: str | None = None,
) -> Workflow:
    """An automation with one version; in a workspace of its own where none is named."""
    if workspace_id is None:
        workspace = Workspace(slug=new_id(), name="W")
        session.add(workspace)
        session.flush()
        workspace_id = workspace.id
    workflow = Workflow(
        workspace_id=workspace_id,
        name=definition["name"],
        status=status,
        version=1,
        trigger_key=trigger_key,
    )
    session.add(workflow)
    session.flush()
    newest = session.scalar(select(func.max(WorkflowVersion.revision))) or 0
    session.add(
        WorkflowVersion(
            workflow_id=workflow.id,
            version=1,
            revision=newest + 1,
            status=status,
            definition=definition,
        )
    )
    session.flush()
    return workflow


def inserted(definition: dict[str, Any], **more: Any) -> str:
    """The id of such an automation, which is committed."""
    with unit_of_work() as session:
        return insert(session, definition, **more).id
