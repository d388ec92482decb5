"""Applying definitions from files to a workspace."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

from automations.db import versions, workflows
from automations.db.session import Session, unit_of_work
from automations.db.tables import Workflow
from automations.definitions import checking, references, step_ids
from automations.definitions.files import write
from automations.definitions.model import Definition
from automations.definitions.triggers import WebhookTrigger
from automations.domain.principals import Principal
from automations.domain.workflows import WorkflowDetail
from automations.errors import Unreadable, ValidationFailed
from automations.kit.ids import new_id
from automations.ports import Ports
from automations.services.workflows.definitions import understood
from automations.services.workflows.exports import UNWRITTEN, written_trigger
from automations.services.workflows.payloads import with_kept_ids
from automations.services.workflows.workflows import add, change, check_references

_MAX_COMPARED = 20_000
"""Lines before and after: the time of a comparison grows with their square."""


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


@dataclass(frozen=True, slots=True)
class _Entry:
    """One automation of a file.

    Args:
        given: what the file says of it, without its id.
        workflow: None for one that is to be created.
        workflow_id: the one that it has, or is to have.
    """

    given: Mapping[str, Any]
    workflow: Workflow | None
    workflow_id: str


class _Entries:
    """Those of a file, by their places, and where each is that is found again."""

    def __init__(self) -> None:
        self.of: dict[int, _Entry] = {}
        self.by_workflow: dict[str, int] = {}
        self._by_key: dict[Any, int] = {}
        self._by_name: dict[Any, int] = {}

    def add(self, index: int, entry: _Entry) -> None:
        self.of[index] = entry
        key, name = _known_by(entry.given)
        if entry.workflow is not None:
            self.by_workflow[entry.workflow.id] = index
        elif key is not None:
            self._by_key[key] = index
        else:
            self._by_name[name] = index

    def made_as(self, given: Mapping[str, Any]) -> int | None:
        """Which one that is to be created would be found, once it is there, for another."""
        key, name = _known_by(given)
        return (
            self._by_name.get(name)
            if key is None
            else self._by_key.get(key, self._by_name.get(name))
        )


class _DryRunEnds(Exception):
    """Undoes what a dry run has written."""


def apply(
    by: Principal, payloads: Sequence[Any], ports: Ports, *, dry_run: bool = False
) -> list[Applied]:
    """Make a workspace's automations what a file says: all of them or none.

    One that has an id, else one that has the key, else the only one that has the name and no key,
    is changed where it differs; else one is created. What the file does not say of a definition is
    as if it had never been said, but for the status, which stays. Others are left alone.

    Args:
        ports: asked whether there is what the steps of those that begin must have.

    Raises:
        ValidationFailed: names what is wrong by its place in the file.
    """
    errors: dict[str, list[str]] = {}
    entries = _Entries()
    applied: dict[int, Applied] = {}
    written: dict[int, WorkflowDetail] = {}
    try:
        with unit_of_work() as session:
            workflows.lock_import(session, by.workspace_id)
            for index, payload in enumerate(payloads):
                with _collected(errors, index, payload):
                    entries.add(index, _entry(session, by.workspace_id, payload, entries))
            keys = _keys(session, by.workspace_id, entries.of.values())
            for index, entry in entries.of.items():
                with _collected(errors, index, entry.given):
                    applied[index], found = _apply(session, by, entry, keys, ports)
                    if found is not None:
                        written[index] = found
            # Not before all are written: who starts whom is known only then.
            for index, found in written.items() if not errors else ():
                with _collected(errors, index, entries.of[index].given):
                    check_references(session, found)
            if errors:
                raise ValidationFailed(errors)
            if dry_run:
                raise _DryRunEnds
    except _DryRunEnds:
        return [_as_tried(one) for one in applied.values()]
    return list(applied.values())


@contextmanager
def _collected(errors: dict[str, list[str]], index: int, given: Any) -> Iterator[None]:
    """Go on with the next automation of a file after one that is invalid."""
    try:
        yield
    except ValidationFailed as error:
        found = references.as_written(error.field_errors, given)
        errors.update({f"{index}.{path}": texts for path, texts in found.items()})


def _entry(session: Session, workspace_id: str, payload: Any, entries: _Entries) -> _Entry:
    """Which automation one of a file is; it is locked if it is there."""
    if not isinstance(payload, dict):
        raise ValidationFailed({"body": ["must be an automation, with a name and steps"]})
    given = dict(payload)
    workflow_id = given.pop("id", None)
    workflow = _found(session, workspace_id, workflow_id, given)
    if workflow is not None and workflow_id is None:
        other = entries.of.get(entries.by_workflow.get(workflow.id, -1))
        if other is not None and other.given.get("key") != given.get("key"):
            # Who the file gives another key is not the one that is meant.
            workflow = None
    index = entries.by_workflow.get(workflow.id) if workflow is not None else entries.made_as(given)
    if index is not None:
        raise ValidationFailed(
            {"name": [f"is the same automation as number {index + 1} of the file"]}
        )
    return _Entry(given, workflow, new_id() if workflow is None else workflow.id)


def _known_by(given: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Its key and name; None for one that is none, as checking it will say."""
    key, name = given.get("key"), given.get("name")
    return key if isinstance(key, str) else None, name if isinstance(name, str) else None


def _keys(session: Session, workspace_id: str, entries: Iterable[_Entry]) -> dict[str, str]:
    """The keys of the workspace's automations by their ids, as they are after the file."""
    keys = workflows.keys(session, workspace_id)
    for entry in entries:
        keys.pop(entry.workflow_id, None)
        key = entry.given.get("key")
        if isinstance(key, str):
            keys[entry.workflow_id] = key
    return keys


def _apply(
    session: Session, by: Principal, entry: _Entry, keys: Mapping[str, str], ports: Ports
) -> tuple[Applied, WorkflowDetail | None]:
    """What becomes of one automation of a file, and what was written of it."""
    workflow = entry.workflow
    given = references.by_id(entry.given, {key: workflow_id for workflow_id, key in keys.items()})
    if workflow is None:
        made = add(session, by, given, ports, entry.workflow_id, alone=False)
        after = _wanted(given, made.status, keys)
        return Applied("create", made.id, made.key, made.name, 1, _diff("", after)), made
    stored = versions.definition(session, workflow.id, workflow.version) or {}
    body = with_kept_ids(stored, given)
    status = str(body.get("status", workflow.status))
    known = _known(stored, workflow.id)
    before = _text(known, workflow.status, keys) if known is not None else ""
    after = _wanted(body, status, keys, _secret_of(known) if known is not None else None)
    if before == after:
        name, key, version = workflow.name, workflow.key, workflow.version
        return Applied("unchanged", workflow.id, key, name, version, ""), None
    done = change(session, by, workflow, body, ports, whole=True, alone=False)
    diff = _diff(before, after)
    return Applied("update", done.id, done.key, done.name, done.version, diff), done


def _known(stored: Mapping[str, Any], workflow_id: str) -> Definition | None:
    """What is there so far; None when that cannot be read any more, and is simply replaced."""
    with suppress(Unreadable):
        return understood(stored, f"automation {workflow_id}")
    return None


def _found(
    session: Session, workspace_id: str, workflow_id: Any, given: Mapping[str, Any]
) -> Workflow | None:
    if workflow_id is not None:
        workflow = workflows.find(session, workspace_id, str(workflow_id), lock=True)
        if workflow is None:
            problem = f"there is no automation {workflow_id} here"
            mend = "without an id one is made, and with a key in its place it is found anywhere"
            raise ValidationFailed({"id": [f"{problem}: {mend}"]})
        return workflow
    key, name = given.get("key"), given.get("name")
    if not isinstance(name, str) or not isinstance(key, str | None):
        return None  # invalid, as checking it will say
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


def _wanted(
    body: Mapping[str, Any], status: str, keys: Mapping[str, str], before: str | None = None
) -> str:
    """What a file says in that form, without the ids that were made up for steps just now.

    They would be others each time, and are no part of what anybody has written.
    """
    definition = _parsed(_without_status(body))
    dumped = _dumped(definition)
    if "steps" in dumped:
        dumped["steps"] = step_ids.unfilled(dumped["steps"], definition.steps, body["steps"])
    return _arranged(dumped, definition, status, keys, before)


def _text(definition: Definition, status: str, keys: Mapping[str, str]) -> str:
    """A stored definition in the one form in which two are the same or differ."""
    return _arranged(_dumped(definition), definition, status, keys, None)


def _dumped(definition: Definition) -> dict[str, Any]:
    return definition.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _arranged(
    dumped: Mapping[str, Any],
    definition: Definition,
    status: str,
    keys: Mapping[str, str],
    before: str | None,
) -> str:
    referring = references.by_key(dumped, keys)
    rest = {name: value for name, value in referring.items() if name not in UNWRITTEN}
    shown = {**rest, "status": status, "trigger": written_trigger(definition.trigger, before)}
    return write([dict(sorted(shown.items()))], "yaml")


def _secret_of(definition: Definition) -> str | None:
    trigger = definition.trigger
    return trigger.secret if isinstance(trigger, WebhookTrigger) else None


def _diff(before: str, after: str) -> str:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if old and len(old) + len(new) > _MAX_COMPARED:
        return f"--- workspace: {len(old)} lines\n+++ file: {len(new)} lines\n"
    return "".join(difflib.unified_diff(old, new, "workspace", "file"))


def _as_tried(one: Applied) -> Applied:
    if one.action != "create":
        return one
    return Applied("create", None, one.key, one.name, None, one.diff)
