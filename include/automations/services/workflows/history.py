"""The versions of an automation: listed, compared, and restored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from automations.db.session import Session, reading, unit_of_work
from automations.db.workflows import versions, workflows
from automations.definitions.files import write
from automations.definitions.triggers import HIDDEN
from automations.domain.principals import Principal
from automations.domain.workflows import Version, WorkflowDetail
from automations.errors import NotFound
from automations.kit.line_diffs import Line, differences
from automations.ports import Ports
from automations.services.workflows.exports import Stored, serialize
from automations.services.workflows.lookups import require
from automations.services.workflows.webhook_secrets import is_reference
from automations.services.workflows.workflows import change, check_references

MAX_LISTED = 200
"""Versions that a list shows: whoever looks for older ones knows their numbers."""
_MAX_COMPARED = 20_000
"""Lines before and after: a page has no more."""


def list_versions(workspace_id: str, workflow_id: str) -> Sequence[Version]:
    """The newest versions, the newest first.

    Raises:
        NotFound: there is no such automation.
    """
    with reading() as session:
        require(session, workspace_id, workflow_id)
        return versions.list_newest(session, workflow_id, MAX_LISTED)


def text(workspace_id: str, workflow_id: str, number: int) -> str:
    """What a version says, as a file of definitions has it.

    Raises:
        NotFound: there is no such automation or version.
    """
    with reading() as session:
        return _text(session, workspace_id, workflow_id, number)


def compare(workspace_id: str, workflow_id: str, before: int, after: int) -> Sequence[Line]:
    """What is different between two versions, line by line.

    Raises:
        NotFound: there is no such automation or version.
    """
    with reading() as session:
        old = _text(session, workspace_id, workflow_id, before).splitlines()
        new = _text(session, workspace_id, workflow_id, after).splitlines()
    if len(old) + len(new) > _MAX_COMPARED:
        return [Line("gap", f"{len(old)} → {len(new)}")]
    return differences(old, new)


def restore(by: Principal, workflow_id: str, number: int, ports: Ports) -> WorkflowDetail:
    """Make an automation's newest version say what an older one says; its status stays.

    A webhook keeps the secret that it has now.

    Raises:
        NotFound: there is no such automation or version.
        ValidationFailed: what it names is not there any more.
    """
    with unit_of_work() as session:
        workflow = require(session, by.workspace_id, workflow_id, lock=True)
        payload = dict(_load_definition(session, workflow_id, number))
        trigger = dict(payload.get("trigger") or {})
        secret = trigger.get("secret")
        if secret is not None and not is_reference(str(secret)):
            payload["trigger"] = {**trigger, "secret": HIDDEN}
        restored = change(session, by, workflow, payload, ports, whole=True)
        check_references(session, restored)
        return restored


def _text(session: Session, workspace_id: str, workflow_id: str, number: int) -> str:
    workflow = require(session, workspace_id, workflow_id)
    stored = _load_definition(session, workflow_id, number)
    keys = workflows.keys(session, workspace_id)
    whole = Stored(workflow.name, workflow.id, workflow.status, stored)
    return write([serialize(whole, keys)], "yaml")


def _load_definition(session: Session, workflow_id: str, number: int) -> Any:
    stored = versions.definition(session, workflow_id, number)
    if stored is None:
        raise NotFound(f"The automation has no version {number}.")
    return stored
