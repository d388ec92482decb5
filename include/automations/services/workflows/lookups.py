"""Finds automations by id within a workspace, or raises NotFound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automations.db.session import Session
from automations.db.tables import Workflow
from automations.db.workflows import workflows
from automations.errors import NotFound


def require(
    session: Session, workspace_id: str, workflow_id: str, *, lock: bool = False
) -> Workflow:
    """The automation.

    Raises:
        NotFound: there is none, or it is deleted.
    """
    workflow = workflows.find(session, workspace_id, workflow_id, lock=lock)
    if workflow is None:
        raise _no_automation(workflow_id)
    return workflow


def require_newest(
    session: Session, workspace_id: str, workflow_id: str
) -> tuple[Workflow, Mapping[str, Any]]:
    """The automation, and the definition that its newest version has.

    Raises:
        NotFound: there is none, or it is deleted.
    """
    newest = workflows.find_newest(session, workspace_id, workflow_id)
    if newest is None:
        raise _no_automation(workflow_id)
    return newest


def require_any(session: Session, workspace_id: str, workflow_id: str) -> Workflow:
    """The automation, also a deleted one: its runs can still be read.

    Raises:
        NotFound: there never was one.
    """
    workflow = workflows.find_any(session, workspace_id, workflow_id)
    if workflow is None:
        raise _no_automation(workflow_id)
    return workflow


def _no_automation(workflow_id: str) -> NotFound:
    return NotFound(f"There is no automation {workflow_id}.")
