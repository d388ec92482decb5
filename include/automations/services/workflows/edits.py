"""Edits of automations: unsaved changes of one person, stored as they type, saved as a version.

An edit has no effect until it is saved, and need not be valid until then. Each person has their
own; saving it is a conflict if somebody else has saved another version meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automations.db import edits
from automations.db.runs import run_queries
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import Workflow, WorkflowEdit
from automations.db.workflows import versions, workflow_edits
from automations.definitions import checking, editing
from automations.definitions.model import MAX_STEPS
from automations.domain.edits import EditState, check_number, edit_conflict
from automations.domain.principals import Principal
from automations.domain.statuses import WorkflowStatus
from automations.domain.workflows import InFlight, WorkflowDetail
from automations.errors import Conflict, ValidationFailed
from automations.kit.storable import faults, identical
from automations.kit.values import JSON, Errors
from automations.ports import Ports
from automations.services.workflows import edit_secrets
from automations.services.workflows.lookups import require
from automations.services.workflows.workflows import change, check_references

MAX_LENGTH = 2_000_000
"""Characters of a draft, as JSON; the API accepts half of that."""
Change = Callable[[editing.Draft], editing.Draft]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit(EditState):
    """An edit, as its editor sees it.

    Args:
        definition: with ids and in order; a secret in it is hidden.
        in_flight: what saving it means for runs that have not ended.
    """

    workflow_id: str
    name: str
    status: WorkflowStatus
    definition: editing.Draft
    changed_at: datetime | None
    sample: Mapping[str, JSON]
    in_flight: InFlight


def get(by: Principal, workflow_id: str) -> Edit:
    """Somebody's edit of an automation; if they have none, its newest version.

    Raises:
        NotFound: there is no such automation.
    """
    with reading() as session:
        workflow = require(session, by.workspace_id, workflow_id)
        return _to_edit(session, workflow, workflow_edits.find(session, workflow.id, by.editor))


def apply(
    by: Principal, workflow_id: str, base_version: int, number: int, typed_into: str, alter: Change
) -> Edit:
    """Change an edit; the first change creates it.

    Args:
        base_version: the version that the editor sees, if there is no edit yet.
        number: of the state that they see.
        typed_into: names the input that was typed into, so that its characters count as one change;
            empty for other changes.
        alter: returns the new definition.

    Raises:
        NotFound: there is no such automation, step or place.
        Conflict: the edit was changed in another window.
        ValidationFailed: it cannot be stored.
    """
    with unit_of_work() as session:
        workflow = require(session, by.workspace_id, workflow_id)
        edit = _find_or_begin(session, by, workflow, base_version, number)
        before = workflow_edits.draft(session, edit)
        after = edit_secrets.seal(editing.lay_out(alter(edit_secrets.as_seen(before))), before)
        if problems := faults(after, "") or _too_long(after):
            raise ValidationFailed(problems)
        if not identical(before, after):
            edits.keep(workflow_edits, session, edit, typed_into, after)
        return _to_edit(session, workflow, edit)


def keep_sample(
    by: Principal, workflow_id: str, base_version: int, number: int, sample: dict[str, JSON]
) -> Edit:
    """Store sample data for trying templates; it stays when the edit is saved.

    Raises:
        NotFound, Conflict: as for ``apply``.
    """
    with unit_of_work() as session:
        workflow = require(session, by.workspace_id, workflow_id)
        edit = _find_or_begin(session, by, workflow, base_version, number)
        edit.sample = sample
        workflow_edits.touch(session, edit)
        return _to_edit(session, workflow, edit)


def step_back(by: Principal, workflow_id: str, number: int, steps: int) -> Edit:
    """Undo changes, or redo them if ``steps`` is negative, as far as there are any.

    Raises:
        NotFound, Conflict: as for ``apply``.
    """
    with unit_of_work() as session:
        workflow = require(session, by.workspace_id, workflow_id)
        edit = _lock(session, by, workflow, number)
        if edit is not None:
            edits.step_back(workflow_edits, session, edit, steps)
        return _to_edit(session, workflow, edit)


def discard(by: Principal, workflow_id: str, number: int) -> None:
    """Delete an edit.

    Raises:
        NotFound, Conflict: as for ``apply``.
    """
    with unit_of_work() as session:
        workflow = require(session, by.workspace_id, workflow_id)
        _lock(session, by, workflow, number)
        workflow_edits.remove(session, workflow.id, by.editor)


def follow(by: Principal, workflow_id: str, number: int) -> Edit:
    """Rebase an edit on the newest version, which somebody else has saved meanwhile.

    Raises:
        NotFound, Conflict: as for ``apply``.
    """
    with unit_of_work() as session:
        workflow = require(session, by.workspace_id, workflow_id)
        edit = _lock(session, by, workflow, number)
        if edit is not None:
            edit.base_version = workflow.version
            session.flush()
        return _to_edit(session, workflow, edit)


def save(
    by: Principal, workflow_id: str, number: int, ports: Ports, status: WorkflowStatus | None = None
) -> WorkflowDetail:
    """Save an edit as a version, as a change through the API would be; this ends the edit.

    The sample data stays for the next edit.

    Args:
        status: the automation's new status; None to leave it.

    Raises:
        NotFound: there is no such automation.
        Conflict: somebody has saved another version, or changed the edit in another window.
        ValidationFailed: names the fields that are wrong.
    """
    with unit_of_work() as session:
        workflow = require(session, by.workspace_id, workflow_id, lock=True)
        edit = _lock(session, by, workflow, number)
        if edit is None or _is_over(session, workflow, edit):
            payload = _load_draft(session, workflow)
        else:
            if edit.base_version != workflow.version:
                raise Conflict(
                    f"Version {workflow.version} was saved meanwhile, and this is a change of "
                    f"version {edit.base_version}: look at what is different, then keep yours or "
                    "theirs."
                )
            payload = workflow_edits.draft(session, edit)
        payload = edit_secrets.unseal(by.workspace_id, payload)
        if status is not None:
            payload["status"] = str(status)
        saved = change(session, by, workflow, payload, ports, whole=True)
        check_references(session, saved)
        if edit is not None and edit.sample:
            _begin_anew(session, by, workflow, edit)
        else:
            workflow_edits.remove(session, workflow.id, by.editor)
        return saved


def _lock(session: Session, by: Principal, workflow: Workflow, number: int) -> WorkflowEdit | None:
    """Somebody's edit, if they have one, locked; Conflict if it is not in the state they saw."""
    edit = workflow_edits.find(session, workflow.id, by.editor, lock=True)
    check_number(edit, number)
    return edit


def _find_or_begin(
    session: Session, by: Principal, workflow: Workflow, base_version: int, number: int
) -> WorkflowEdit:
    edit = _lock(session, by, workflow, number)
    if edit is not None:
        if _is_over(session, workflow, edit) and base_version == workflow.version:
            return _begin_anew(session, by, workflow, edit)
        return edit
    stored = versions.definition(session, workflow.id, base_version)
    if stored is None:
        raise Conflict(f"There is no version {base_version} to change.")
    return _begin(session, by, workflow, base_version, stored)


def _is_over(session: Session, workflow: Workflow, edit: WorkflowEdit) -> bool:
    """Whether an edit has no changes and its version is not the newest any more.

    Such an edit can be replaced with the newest version without losing anything.
    """
    if edit.base_version == workflow.version:
        return False
    return identical(_base(session, edit), workflow_edits.draft(session, edit))


def _base(session: Session, edit: WorkflowEdit) -> editing.Draft:
    """The draft that the edit began with."""
    stored = versions.definition(session, edit.workflow_id, edit.base_version)
    return edit_secrets.begin(stored or {})


def _begin_anew(
    session: Session, by: Principal, workflow: Workflow, edit: WorkflowEdit
) -> WorkflowEdit:
    """Replace an edit that is over with one of the newest version, with the same sample data."""
    sample, seen = edit.sample, edit.changes
    stored = versions.definition(session, workflow.id, workflow.version) or {}
    session.expunge(edit)
    workflow_edits.remove(session, workflow.id, by.editor)
    new_edit = _begin(session, by, workflow, workflow.version, stored)
    new_edit.sample, new_edit.changes = sample, seen
    workflow_edits.touch(session, new_edit)
    return new_edit


def _too_long(definition: editing.Draft) -> Errors:
    """The error of a draft that is too long to be processed at each change."""
    count = sum(1 for _ in editing.walk(definition))
    if count > MAX_STEPS:
        return {"steps": [checking.too_many_steps(count)]}
    if len(json.dumps(definition, ensure_ascii=False)) > MAX_LENGTH:
        return {"": [f"may have {MAX_LENGTH:,} characters at most"]}
    return {}


def _begin(
    session: Session,
    by: Principal,
    workflow: Workflow,
    base_version: int,
    stored: Mapping[str, Any],
) -> WorkflowEdit:
    begun = edit_secrets.begin(stored)
    edit = workflow_edits.begin(session, workflow.id, by.editor, base_version, begun)
    if edit is None:
        raise edit_conflict()
    return edit


def _load_draft(session: Session, workflow: Workflow) -> editing.Draft:
    return edit_secrets.begin(versions.definition(session, workflow.id, workflow.version) or {})


def _to_edit(session: Session, workflow: Workflow, edit: WorkflowEdit | None) -> Edit:
    number, sample = (0, {}) if edit is None else (edit.changes, edit.sample)
    if edit is not None and _is_over(session, workflow, edit):
        edit = None
    if edit is None:
        draft, changed = _load_draft(session, workflow), False
    else:
        draft = workflow_edits.draft(session, edit)
        changed = not identical(_base(session, edit), draft)
    definition = edit_secrets.as_seen(draft)
    _, errors = checking.parse(definition)
    ids = [str(located.step.get("id")) for located in editing.walk(definition)]
    in_flight = InFlight(*run_queries.in_flight(session, workflow.id, workflow.version + 1, ids))
    newest = versions.list_newest(session, workflow.id, 1)
    return Edit(
        workflow_id=workflow.id,
        name=workflow.name,
        status=workflow.status,
        base_version=workflow.version if edit is None else edit.base_version,
        version=workflow.version,
        by=newest[0].created_by if newest else None,
        definition=definition,
        number=number,
        may_undo=edits.may_undo(workflow_edits, session, edit),
        may_redo=edits.may_redo(workflow_edits, session, edit),
        is_changed=changed,
        changed_at=None if edit is None else edit.changed_at,
        sample=sample,
        errors=errors,
        in_flight=in_flight,
    )
