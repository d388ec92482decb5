"""Exports automations of a workspace to files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from automations.db.session import Session, reading
from automations.db.workflows import versions, workflows
from automations.definitions import references
from automations.definitions.triggers import HIDDEN, Trigger, WebhookTrigger
from automations.errors import Unreadable
from automations.kit.storable import fault
from automations.kit.values import JSON
from automations.services.workflows.definitions import parse
from automations.services.workflows.lookups import require
from automations.services.workflows.webhook_secrets import is_reference, same

UNWRITTEN = ("formId",)
"""What a trigger says as well."""


@dataclass(frozen=True, slots=True)
class SkippedWorkflow:
    """An automation that no file can hold, and why."""

    workflow_id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ExportResult:
    """Automations as files hold them, and those that are left out."""

    automations: list[dict[str, JSON]]
    left_out: list[SkippedWorkflow]


class Stored(NamedTuple):
    """An automation to be written to a file."""

    name: str
    workflow_id: str
    status: str
    definition: Mapping[str, Any]


def export(workspace_id: str, ids: Sequence[str] = ()) -> ExportResult:
    """Automations as files hold them: these, or all of the workspace, the first one first.

    Raises:
        NotFound: there is no automation with an id.
    """
    exported = ExportResult([], [])
    with reading() as session:
        keys = workflows.keys(session, workspace_id)
        for stored in _load_stored(session, workspace_id, ids):
            try:
                exported.automations.append(serialize(stored, keys))
            except Unreadable as error:
                exported.left_out.append(
                    SkippedWorkflow(stored.workflow_id, stored.name, error.reason)
                )
    return exported


def export_one(workspace_id: str, workflow_id: str) -> dict[str, JSON]:
    """An automation as files hold it.

    Raises:
        NotFound: there is none with this id.
        Unreadable: no file can hold it.
    """
    with reading() as session:
        keys = workflows.keys(session, workspace_id)
        (stored,) = _load_stored(session, workspace_id, [workflow_id])
        return serialize(stored, keys)


def _load_stored(session: Session, workspace_id: str, ids: Sequence[str]) -> Iterator[Stored]:
    """These automations, or all."""
    if not ids:
        for listed in reversed(workflows.list_all(session, workspace_id)):
            yield Stored(listed.name, listed.id, listed.status, listed.definition)
    for workflow_id in ids:
        workflow = require(session, workspace_id, workflow_id)
        stored = versions.definition(session, workflow.id, workflow.version) or {}
        yield Stored(workflow.name, workflow.id, workflow.status, stored)


def serialize(stored: Stored, keys: Mapping[str, str]) -> dict[str, JSON]:
    """A definition as it was written, so that it reads as its author knows it.

    Without a key it has its id: nothing else finds it again among others of its name.

    Raises:
        Unreadable: it could not be read from a file again.
    """
    definition, resource = dict(stored.definition), f"automation {stored.workflow_id}"
    if (problem := fault(definition)) is not None:
        raise Unreadable(resource, problem)
    trigger = serialize_trigger(parse(definition, resource).trigger, None)
    rest = {
        name: value
        for name, value in references.by_key(definition, keys).items()
        if name not in UNWRITTEN and value not in (None, "", {})
    }
    known_by = {} if stored.workflow_id in keys else {"id": stored.workflow_id}
    return {**known_by, **rest, "status": stored.status, "trigger": trigger}


def serialize_trigger(trigger: Trigger, before: str | None) -> dict[str, JSON]:
    """A trigger as files hold it.

    Args:
        before: the secret of a webhook that is there, which is another one or the same.
    """
    config = trigger.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"type"})
    if isinstance(trigger, WebhookTrigger) and trigger.secret is not None:
        config["secret"] = _export_secret(trigger.secret, before)
    return {"type": trigger.type, **({"config": config} if config else {})}


def _export_secret(secret: str, before: str | None) -> str:
    """A webhook's secret: a reference as it is, and no value; but whether it is another one."""
    if is_reference(secret):
        return secret.strip()
    if before is None or secret == HIDDEN or same(before, secret):
        return HIDDEN
    return f"{HIDDEN} (another)"
