"""Automations: create, read, change, delete, start by hand."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any

from automations.db.queue import jobs
from automations.db.runs import run_counts, run_queries, slots
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import JobKind, Workflow
from automations.db.workflows import versions, workflow_edits, workflows
from automations.definitions import references
from automations.definitions.model import Definition, walk
from automations.domain.principals import Principal
from automations.domain.statuses import RunStatus, WorkflowStatus
from automations.domain.workflows import InFlight, WorkflowDetail
from automations.errors import ValidationFailed
from automations.kit import common_clock, cursors
from automations.kit.ids import new_id
from automations.kit.values import JSON
from automations.ports import Ports
from automations.services.audit import audit
from automations.services.workflows import (
    cycles,
    definitions,
    error_workflows,
    payloads,
    step_subjects,
    writing,
)
from automations.services.workflows.lookups import require, require_newest

_REFERRING = frozenset({"steps", "status", "errorWorkflowId"})
"""The fields whose change may make an automation start itself."""


def create(by: Principal, payload: Any, ports: Ports) -> WorkflowDetail:
    """Create an automation from a client's payload.

    Args:
        ports: to check that what its steps need is available, if it is created as ACTIVE.

    Raises:
        ValidationFailed: names every field that is wrong; nothing is written.
    """
    with unit_of_work() as session:
        return add(session, by, payload, ports, new_id())


def add(
    session: Session, by: Principal, payload: Any, ports: Ports, workflow_id: str
) -> WorkflowDetail:
    """As ``create``, in the caller's transaction."""
    workflows.hold_named(session, by.workspace_id)
    checked = writing.new(session, by, payload, ports, workflow_id)
    detail = writing.create(session, [checked], by.name).get(workflow_id)
    if detail is None:
        raise key_taken(checked.definition.key)
    check_references(session, detail)
    return detail


def key_taken(key: str | None) -> ValidationFailed:
    """The error for an automation whose key another one has."""
    return ValidationFailed({"key": [f"'{key}' is the key of another automation"]})


def update(by: Principal, workflow_id: str, payload: Any, ports: Ports) -> WorkflowDetail:
    """Change the fields that the payload has; makes a new version if any of them differs."""
    with unit_of_work() as session:
        workflow = require(session, by.workspace_id, workflow_id, lock=True)
        return change(session, by, workflow, payload, ports)


def change(
    session: Session,
    by: Principal,
    workflow: Workflow,
    payload: Any,
    ports: Ports,
    *,
    whole: bool = False,
    alone: bool = True,
) -> WorkflowDetail:
    """As ``update``, in the caller's transaction.

    Args:
        workflow: its row locked.
        whole: whether the payload is the whole definition, so that missing fields are removed.
        alone: False if automations that it may name are written with it; the caller then calls
            ``check_references`` after all of them.
    """
    workspace_id, before = workflow.workspace_id, workflow.status
    status, body = payloads.split(payload, workflow.status)
    stored = versions.definition(session, workflow.id, workflow.version) or {}
    changed = sorted(body)
    body = payloads.with_kept_ids(stored, body) if whole else payloads.merge(stored, body)
    definition = payloads.validate(body, payloads.trigger_of(stored))
    begins = status is WorkflowStatus.ACTIVE and before != status
    if alone and (begins or {"trigger", "formId", "steps"} & set(changed)):
        workflows.hold_named(session, workspace_id)
    # Only what changes is checked: a subject that is gone must not prevent other changes.
    if begins or {"trigger", "formId"} & set(changed):
        payloads.check_subject(session, workspace_id, definition.trigger, body)
    if begins or "steps" in changed:
        payloads.check_available(workspace_id, definition, status, ports)
        step_subjects.check(session, workspace_id, definition, status)
    if before == status and payloads.alike(stored, payloads.to_store(definition, body)):
        detail = writing.detail(workflow, stored, writing.runs_of(session, workflow))
        if alone:
            check_references(session, detail, set(changed))
        return replace(detail, in_flight=_in_flight(session, workflow, definition))
    checked = writing.CheckedWorkflow(workflow, definition, body, status)
    detail = _write(session, by, checked, before, changed)
    if alone:
        check_references(session, detail, {*changed, *(["status"] if before != status else ())})
    return replace(detail, in_flight=_in_flight(session, workflow, definition))


def _write(
    session: Session,
    by: Principal,
    checked: writing.CheckedWorkflow,
    before: WorkflowStatus,
    changed: list[str],
) -> WorkflowDetail:
    """Write a changed automation as its next version."""
    workflow = checked.workflow
    workflow.version += 1
    workflow.updated_at = common_clock.now()
    detail = writing.write(session, [checked], by.name).get(workflow.id)
    if detail is None:
        raise key_taken(checked.definition.key)
    moved: dict[str, JSON] = {}
    if before != checked.status:
        moved = {"status": [before, checked.status]}
    audit.record(
        session,
        "workflow.update",
        workflow,
        name=workflow.name,
        version=workflow.version,
        fields=changed,
        **moved,
    )
    # A raised limit lets waiting runs begin.
    slots.recheck(session, workflow.id)
    return detail


def check_references(
    session: Session, detail: WorkflowDetail, changed: Set[str] = _REFERRING
) -> None:
    """Check that an automation that was just written cannot start itself.

    Checked after the write, which only one transaction does at a time: so if two automations begin
    to name each other concurrently, one of them sees the other.

    Args:
        changed: the fields to check; a reference that is gone must not prevent other changes.

    Raises:
        ValidationFailed: names the references that lead back to it, or nowhere.
    """
    if _REFERRING.isdisjoint(changed) or not references.any_in(detail.definition):
        return
    definition = definitions.read(session, detail.id, detail.version)
    begins = "status" in changed and detail.status == WorkflowStatus.ACTIVE
    if begins or "errorWorkflowId" in changed:
        error_workflows.check(session, detail, definition.error_workflow_id)
    if detail.status == WorkflowStatus.ACTIVE and (begins or "steps" in changed):
        step_subjects.check_automations(session, detail.workspace_id, definition)
    if detail.status != WorkflowStatus.ARCHIVED and not changed.isdisjoint(("steps", "status")):
        cycles.check(session, detail, definition)


def _in_flight(session: Session, workflow: Workflow, definition: Definition) -> InFlight:
    node_ids = [step.id for _, step in walk(definition.steps)]
    return InFlight(*run_queries.in_flight(session, workflow.id, workflow.version, node_ids))


def delete(by: Principal, workflow_id: str) -> None:
    """Delete an automation; its history stays, and a job cancels its runs in flight."""
    with unit_of_work() as session:
        workflow = require(session, by.workspace_id, workflow_id, lock=True)
        stored = versions.definition(session, workflow.id, workflow.version) or {}
        workflow.version += 1
        workflow.status = WorkflowStatus.ARCHIVED  # whatever it was: the row is locked
        workflow.deleted_at = common_clock.now()
        workflows.add_version(session, workflow, stored, by.name)
        jobs.enqueue(session, JobKind.END_RUNS, workflow.id)
        workflow_edits.remove(session, workflow.id)
        audit.record(session, "workflow.delete", workflow, name=workflow.name)


def get(workspace_id: str, workflow_id: str) -> WorkflowDetail:
    """One automation."""
    with reading() as session:
        workflow, stored = require_newest(session, workspace_id, workflow_id)
        return writing.detail(workflow, stored, writing.runs_of(session, workflow))


def list_all(workspace_id: str) -> Sequence[WorkflowDetail]:
    """All automations of a workspace, newest first."""
    with reading() as session:
        return workflows.list_all(session, workspace_id)


def page_after(
    workspace_id: str, cursor: str | None, size: int
) -> tuple[Sequence[WorkflowDetail], str | None]:
    """The automations after a cursor, newest first, and the next cursor."""
    after = cursors.decode(cursor) if cursor else None
    with reading() as session:
        page_workflows = workflows.list_all(session, workspace_id, after, size + 1)
    return cursors.page(page_workflows, size, lambda workflow: (workflow.created_at, workflow.id))


def stats(workspace_id: str) -> tuple[dict[WorkflowStatus, int], dict[RunStatus, int]]:
    """The numbers of automations and of runs, by status."""
    with reading() as session:
        return (
            workflows.count(session, workspace_id),
            run_counts.by_status(session, workspace_id),
        )
