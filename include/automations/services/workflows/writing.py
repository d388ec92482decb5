"""Writes automations that were checked: one, or many in as few statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automations.db.runs import run_counts
from automations.db.session import Session
from automations.db.tables import Workflow
from automations.db.workflows import held_up, workflows
from automations.definitions.model import Definition
from automations.definitions.triggers import WebhookTrigger
from automations.domain.principals import Principal
from automations.domain.statuses import WorkflowStatus
from automations.domain.workflows import WorkflowDetail
from automations.ports import Ports
from automations.services.audit import audit
from automations.services.workflows import payloads, schedules, step_subjects, webhook_addresses


@dataclass(frozen=True, slots=True)
class CheckedWorkflow:
    """An automation as it is to be written: it was checked, and nothing is written yet.

    Args:
        workflow: its row, which is new, or locked since it was read: nobody else decides on its
            status meanwhile.
        body: the definition as a client has written it.
    """

    workflow: Workflow
    definition: Definition
    body: Mapping[str, Any]
    status: WorkflowStatus


def new(
    session: Session, by: Principal, payload: Any, ports: Ports, workflow_id: str
) -> CheckedWorkflow:
    """An automation from a client's payload.

    Args:
        ports: asked whether there is what its steps must have, if it is to begin at once.

    Raises:
        ValidationFailed: names every field that is wrong.
    """
    status, body = payloads.split(payload, WorkflowStatus.DRAFT)
    definition = payloads.validate(body, {})
    payloads.check_subject(session, by.workspace_id, definition.trigger, body)
    payloads.check_available(by.workspace_id, definition, status, ports)
    step_subjects.check(session, by.workspace_id, definition, status)
    workflow = Workflow(
        id=workflow_id,
        workspace_id=by.workspace_id,
        version=1,
        created_by=by.name,
        created_by_key_id=by.key_id,
        # Of one that a key has made its member is the owner, whoever that comes to be.
        created_by_member_id=None if by.key_id else by.member_id,
    )
    return CheckedWorkflow(workflow, definition, body, status)


def create(
    session: Session, checked: Sequence[CheckedWorkflow], by: str
) -> dict[str, WorkflowDetail]:
    """Write new automations, in as many statements for many as for one.

    Returns:
        By id; those are missing whose keys others have.
    """
    details = write(session, checked, by)
    for item in checked:
        workflow = item.workflow
        if workflow.id in details:
            name, status = workflow.name, item.status
            audit.record(session, "workflow.create", workflow, name=name, status=status)
    return details


def write(
    session: Session, checked: Sequence[CheckedWorkflow], by: str
) -> dict[str, WorkflowDetail]:
    """Write the next version of each; as ``create``."""
    taken = workflows.save(session, [(item.workflow, _columns(item)) for item in checked])
    saved = [item for item in checked if item.workflow.id not in taken]
    new_versions = [
        workflows.NewVersion(
            item.workflow,
            payloads.to_store(item.definition, item.body),
            schedules.in_force_since(session, item.workflow, item.definition),
        )
        for item in saved
    ]
    workflows.add_versions(session, new_versions, by)
    return {new_version.workflow.id: _detail(session, new_version) for new_version in new_versions}


def _detail(session: Session, new_version: workflows.NewVersion) -> WorkflowDetail:
    # There was nothing to run before the first version.
    runs = runs_of(session, new_version.workflow) if new_version.workflow.version > 1 else 0
    return detail(new_version.workflow, new_version.definition, runs)


def runs_of(session: Session, workflow: Workflow) -> int:
    """How many runs it has."""
    return sum(run_counts.by_status(session, workflow.workspace_id, workflow.id).values())


def detail(workflow: Workflow, stored: Mapping[str, Any], runs: int) -> WorkflowDetail:
    """An automation as it is read."""
    return WorkflowDetail(
        id=workflow.id,
        workspace_id=workflow.workspace_id,
        key=workflow.key,
        name=workflow.name,
        status=workflow.status,
        version=workflow.version,
        webhook_salt=workflow.webhook_salt,
        webhook_hash=workflow.webhook_hash,
        created_at=workflow.created_at,
        updated_at=workflow.updated_at,
        definition=stored,
        runs=runs,
        held_up=held_up.get(workflow),
    )


def _columns(checked: CheckedWorkflow) -> dict[str, Any]:
    definition, workflow = checked.definition, checked.workflow
    columns = {
        "name": definition.name,
        "status": checked.status,
        "key": definition.key,
        "trigger_key": definition.trigger.key_of(workflow.id),
    }
    if isinstance(definition.trigger, WebhookTrigger) and workflow.webhook_salt is None:
        columns |= webhook_addresses.fresh()._asdict()
    return columns
