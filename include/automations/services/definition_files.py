"""Applying definitions from files to a workspace, and writing its automations to files."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from automations import checking
from automations.db import runs, workflows
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import Workflow
from automations.definition_files import write
from automations.errors import NotFound, ValidationFailed
from automations.model import DEFINITION, Definition
from automations.outcomes import JSON
from automations.services.webhook_secrets import is_reference, same
from automations.services.workflows import Maker, add, change, with_kept_ids
from automations.triggers import HIDDEN, Trigger, WebhookTrigger

_UNWRITTEN = ("formId",)
"""What a trigger says as well."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one automation of a file, or would become of it.

    Args:
        workflow_id: None for one that is only to be created.
        diff: between what there is and what the file says, line by line.
    """

    action: Literal["create", "update", "unchanged"]
    workflow_id: str | None
    key: str | None
    name: str
    version: int | None
    diff: str


class _OnlyTried(Exception):
    """Undoes what a dry run has written."""


def apply(maker: Maker, payloads: Sequence[Any], *, dry_run: bool = False) -> list[Applied]:
    """Make a workspace's automations what a file says: all of them or none.

    One that has an id, else one that has the key, else the only one that has the name and no key,
    is changed where it differs; else one is created. What the file does not say of a definition is
    as if it had never been said, but for the status, which stays. Others are left alone.

    Raises:
        ValidationFailed: names what is wrong by its place in the file.
        NotFound: there is no automation with an id.
    """
    applied: list[Applied] = []
    errors: dict[str, list[str]] = {}
    taken: dict[str, int] = {}
    try:
        with unit_of_work() as session:
            for index, payload in enumerate(payloads):
                try:
                    done = _apply(session, maker, payload, taken, index)
                    applied.append(done)
                except ValidationFailed as error:
                    found = error.field_errors
                    errors |= {f"{index}.{path}": texts for path, texts in found.items()}
            if errors:
                raise ValidationFailed(errors)
            if dry_run:
                raise _OnlyTried
    except _OnlyTried:
        return [_as_tried(one) for one in applied]
    return applied


def export(workspace_id: str, ids: Sequence[str] = ()) -> list[dict[str, JSON]]:
    """Automations as files hold them: these, or all of the workspace, the first one first.

    Raises:
        NotFound: there is no automation with an id.
    """
    with reading() as session:
        if not ids:
            found = reversed(workflows.listed(session, workspace_id))
            return [_written(workflow, stored) for workflow, stored in found]
        return [_exported(session, workspace_id, workflow_id) for workflow_id in ids]


def _exported(session: Session, workspace_id: str, workflow_id: str) -> dict[str, JSON]:
    workflow = workflows.find(session, workspace_id, workflow_id)
    if workflow is None:
        raise NotFound(f"There is no automation {workflow_id}.")
    return _written(workflow, runs.definition(session, workflow.id, workflow.version) or {})


def _apply(
    session: Session, maker: Maker, payload: Any, taken: dict[str, int], index: int
) -> Applied:
    if not isinstance(payload, dict):
        raise ValidationFailed({"body": ["must be an automation, with a name and steps"]})
    given = dict(payload)
    workflow = _found(session, maker.workspace_id, given.pop("id", None), given)
    if workflow is None:
        added = add(session, maker, given)
        made = added.workflow
        taken[made.id] = index
        # With the ids that its steps have been given.
        body = {**_without_status(given), "steps": added.definition["steps"]}
        after = _text(_parsed(body), made.status)
        return Applied("create", made.id, made.key, made.name, 1, _diff("", after))
    if workflow.id in taken:
        raise ValidationFailed(
            {"name": [f"is the same automation as number {taken[workflow.id] + 1} of the file"]}
        )
    taken[workflow.id] = index
    stored = runs.definition(session, workflow.id, workflow.version) or {}
    body = with_kept_ids(stored, given)
    status = str(body.get("status", workflow.status))
    known = DEFINITION.validate_python(stored)
    wanted = _parsed(_without_status(body))
    before = _text(known, workflow.status)
    after = _text(wanted, status, _secret_of(known))
    if before == after:
        return Applied("unchanged", workflow.id, workflow.key, workflow.name, workflow.version, "")
    found = change(session, workflow, body, maker.name, whole=True).workflow
    diff = _diff(before, after)
    return Applied("update", found.id, found.key, found.name, found.version, diff)


def _found(
    session: Session, workspace_id: str, workflow_id: Any, given: Mapping[str, Any]
) -> Workflow | None:
    if workflow_id is not None:
        workflow = workflows.find(session, workspace_id, str(workflow_id), lock=True)
        if workflow is None:
            raise ValidationFailed({"id": [f"there is no automation {workflow_id}"]})
        return workflow
    key, name = given.get("key"), given.get("name")
    if not isinstance(name, str) or not isinstance(key, str | None):
        return None  # refused when it is checked
    found = workflows.matching(session, workspace_id, key=key, name=name)
    if len(found) > 1:
        ids = ", ".join(workflow.id for workflow in found)
        raise ValidationFailed({"name": [f"several automations have it: give one's id ({ids})"]})
    return found[0] if found else None


def _without_status(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "status"}


def _parsed(body: Mapping[str, Any]) -> Definition:
    definition, errors = checking.parse(body)
    if definition is None or errors:
        raise ValidationFailed(errors)
    return definition


def _written(workflow: Workflow, stored: Mapping[str, Any]) -> dict[str, JSON]:
    """A definition as it was written, so that it reads as its author knows it."""
    trigger = _trigger(DEFINITION.validate_python(stored).trigger, None)
    rest = {
        name: value
        for name, value in stored.items()
        if name not in _UNWRITTEN and value not in (None, "", {})
    }
    return {**rest, "status": workflow.status, "trigger": trigger}


def _text(definition: Definition, status: str, before: str | None = None) -> str:
    """A definition in the one form in which two are the same or differ."""
    dumped = definition.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    rest = {name: value for name, value in dumped.items() if name not in _UNWRITTEN}
    shown = {**rest, "status": status, "trigger": _trigger(definition.trigger, before)}
    return write([dict(sorted(shown.items()))], "yaml")


def _trigger(trigger: Trigger, before: str | None) -> dict[str, JSON]:
    config = trigger.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"type"})
    if isinstance(trigger, WebhookTrigger) and trigger.secret is not None:
        config["secret"] = _shown(trigger.secret, before)
    return {"type": trigger.type, **({"config": config} if config else {})}


def _shown(secret: str, before: str | None) -> str:
    """A webhook's secret: a reference as it is, and no value; but whether it is another one."""
    if is_reference(secret):
        return secret.strip()
    if before is None or secret == HIDDEN or same(before, secret):
        return HIDDEN
    return f"{HIDDEN} (another)"


def _secret_of(definition: Definition) -> str | None:
    trigger = definition.trigger
    return trigger.secret if isinstance(trigger, WebhookTrigger) else None


def _diff(before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), "workspace", "file"
    )
    return "".join(lines)


def _as_tried(one: Applied) -> Applied:
    if one.action != "create":
        return one
    return Applied("create", None, one.key, one.name, None, one.diff)
