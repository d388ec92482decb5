"""Applies definitions from files to a workspace."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

from automations.db.session import Session, unit_of_work
from automations.db.tables import Workflow
from automations.db.workflows import workflows
from automations.definitions import checking, references, step_ids
from automations.definitions.files import write
from automations.definitions.model import Definition
from automations.definitions.triggers import WebhookTrigger
from automations.domain.principals import Principal
from automations.domain.workflows import WorkflowDetail
from automations.errors import Unreadable, ValidationFailed
from automations.kit.storable import identical
from automations.kit.values import JSON
from automations.ports import Ports
from automations.services.workflows import writing
from automations.services.workflows.definitions import parse
from automations.services.workflows.exports import UNWRITTEN, serialize_trigger
from automations.services.workflows.file_entries import Entries, Existing, Keys
from automations.services.workflows.payloads import with_kept_ids
from automations.services.workflows.workflows import change, check_references, key_taken
from automations.services.workflows.writing import CheckedWorkflow

_MAX_COMPARED = 20_000
"""Lines before and after, since the time of a comparison grows with their square."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of applying one automation of a file, or of trying to.

    Args:
        workflow_id: None for one that a dry run would create.
        diff: between the existing definition and the file's, line by line.
    """

    action: Literal["create", "update", "unchanged"]
    workflow_id: str | None
    key: str | None
    name: str
    version: int | None
    diff: str


class _DryRunEnds(Exception):
    """Rolls back what a dry run has written."""


def apply(
    by: Principal, payloads: Sequence[Any], ports: Ports, *, dry_run: bool = False
) -> list[Applied]:
    """Apply a file of automations to a workspace: all of them or none.

    An automation in the file is matched by its id, else by its key, else by its name if only one
    without a key has that. A match is changed where it differs; otherwise a new one is created.
    Fields that the file leaves out are removed, except the status, which stays. Automations that
    are not in the file are left alone.

    Args:
        ports: to check that what the steps of activated automations need is available.

    Raises:
        ValidationFailed: names what is wrong by its place in the file.
    """
    try:
        with unit_of_work() as session:
            workflows.lock_import(session, by.workspace_id)
            workflows.hold_named(session, by.workspace_id)
            file = _File(session, by, ports, payloads)
            file.write()
            # After all are written, since only then is it known which one starts which.
            file.check_references()
            file.check()
            if dry_run:
                raise _DryRunEnds
    except _DryRunEnds:
        return [_as_tried(result) for result in file.results()]
    return file.results()


class _File:
    """The automations of a file that is being applied, by their place in it.

    Errors are collected, so that those of all automations are reported at once.
    """

    def __init__(
        self, session: Session, by: Principal, ports: Ports, payloads: Sequence[Any]
    ) -> None:
        self._session = session
        self._by = by
        self._ports = ports
        self._errors: dict[str, list[str]] = {}
        self._applied: dict[int, Applied] = {}
        self._written: dict[int, WorkflowDetail] = {}
        self._known = Existing(session, by.workspace_id, payloads)
        self._entries = Entries()
        for index, payload in enumerate(payloads):
            with self._collect_errors(index, payload):
                self._entries.add(index, self._known.entry_of(payload, self._entries))
        self._keys = Keys(session, by.workspace_id, self._entries.of.values())

    def write(self) -> None:
        """Change existing automations where they differ, and create the others."""
        new: dict[int, CheckedWorkflow] = {}
        for index, entry in self._entries.of.items():
            with self._collect_errors(index, entry.given):
                fields = references.by_id(entry.given, self._keys.ids)
                if entry.workflow is None:
                    new[index] = writing.new(
                        self._session, self._by, fields, self._ports, entry.workflow_id
                    )
                else:
                    self._change(index, entry.workflow, fields)
        self._create(new)

    def check_references(self) -> None:
        """Check that none of the written automations can start itself."""
        for index, detail in self._written.items() if not self._errors else ():
            with self._collect_errors(index, self._entries.of[index].given):
                check_references(self._session, detail)

    def check(self) -> None:
        """Check that nothing was wrong.

        Raises:
            ValidationFailed: something was.
        """
        if self._errors:
            raise ValidationFailed(self._errors)

    def results(self) -> list[Applied]:
        """The result of each, in the order of the file."""
        return [self._applied[index] for index in sorted(self._applied)]

    def _change(self, index: int, workflow: Workflow, fields: Mapping[str, Any]) -> None:
        stored = self._known.definitions.get(workflow.id, {})
        change = _Change(workflow, stored, fields, self._keys.of)
        self._applied[index], detail = change.apply(self._session, self._by, self._ports)
        if detail is not None:
            self._written[index] = detail

    def _create(self, new: Mapping[int, CheckedWorkflow]) -> None:
        created = writing.create(self._session, list(new.values()), self._by.name)
        for index, checked in new.items():
            with self._collect_errors(index, self._entries.of[index].given):
                if checked.workflow.id not in created:
                    raise key_taken(checked.definition.key)
                self._written[index] = created[checked.workflow.id]
                self._applied[index] = _creation(checked, self._keys.of)

    @contextmanager
    def _collect_errors(self, index: int, fields: Any) -> Iterator[None]:
        """Go on with the next automation after one that is invalid."""
        try:
            yield
        except ValidationFailed as error:
            problems = references.as_written(error.field_errors, fields)
            self._errors.update({f"{index}.{path}": texts for path, texts in problems.items()})


def _creation(checked: CheckedWorkflow, keys: Mapping[str, str]) -> Applied:
    workflow = checked.workflow
    after = _to_yaml(_file_entry(checked.definition, checked.body, checked.status, keys))
    return Applied("create", workflow.id, workflow.key, workflow.name, 1, _diff("", after))


@dataclass(frozen=True, slots=True)
class _Change:
    """What a file says of an automation that is there.

    Args:
        stored: the definition that it has.
    """

    workflow: Workflow
    stored: Mapping[str, Any]
    given: Mapping[str, Any]
    keys: Mapping[str, str]

    def apply(
        self, session: Session, by: Principal, ports: Ports
    ) -> tuple[Applied, WorkflowDetail | None]:
        """What becomes of it, and what was written of it."""
        workflow, keys = self.workflow, self.keys
        body = with_kept_ids(self.stored, dict(self.given))
        status = str(body.get("status", workflow.status))
        stored = _parse_stored(self.stored, workflow.id)
        before = None if stored is None else _comparable(stored, workflow.status, keys)
        secret = None if stored is None else _secret_of(stored)
        definition = _parse(_without_status(body))
        after = _file_entry(definition, body, status, keys, secret)
        if before is not None and identical(before, after):
            name, key, version = workflow.name, workflow.key, workflow.version
            return Applied("unchanged", workflow.id, key, name, version, ""), None
        done = change(session, by, workflow, body, ports, whole=True, alone=False)
        diff = _diff("" if before is None else _to_yaml(before), _to_yaml(after))
        return Applied("update", done.id, done.key, done.name, done.version, diff), done


def _parse_stored(stored: Mapping[str, Any], workflow_id: str) -> Definition | None:
    """What is there so far; None when that cannot be read any more, and is simply replaced."""
    with suppress(Unreadable):
        return parse(stored, f"automation {workflow_id}")
    return None


def _without_status(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "status"}


def _parse(body: Mapping[str, Any]) -> Definition:
    definition, errors = checking.parse(body)
    if definition is None or errors:
        raise ValidationFailed(errors)
    return definition


def _file_entry(
    definition: Definition,
    body: Mapping[str, Any],
    status: str,
    keys: Mapping[str, str],
    before: str | None = None,
) -> dict[str, JSON]:
    """What a file says in that form, without the ids that were made up for steps just now.

    They would be others each time, and are no part of what anybody has written.
    """
    dumped = _dump(definition)
    if "steps" in dumped:
        dumped["steps"] = step_ids.strip_ids(dumped["steps"], definition.steps, body["steps"])
    return _arrange(dumped, definition, status, keys, before)


def _comparable(definition: Definition, status: str, keys: Mapping[str, str]) -> dict[str, JSON]:
    """A stored definition in the one form in which two are the same or differ."""
    return _arrange(_dump(definition), definition, status, keys, None)


def _dump(definition: Definition) -> dict[str, Any]:
    return definition.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _arrange(
    dumped: Mapping[str, Any],
    definition: Definition,
    status: str,
    keys: Mapping[str, str],
    before: str | None,
) -> dict[str, JSON]:
    referring = references.by_key(dumped, keys)
    rest = {name: value for name, value in referring.items() if name not in UNWRITTEN}
    shown = {**rest, "status": status, "trigger": serialize_trigger(definition.trigger, before)}
    return dict(sorted(shown.items()))


def _to_yaml(shown: Mapping[str, JSON]) -> str:
    return write([shown], "yaml")


def _secret_of(definition: Definition) -> str | None:
    trigger = definition.trigger
    return trigger.secret if isinstance(trigger, WebhookTrigger) else None


def _diff(before: str, after: str) -> str:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if old and len(old) + len(new) > _MAX_COMPARED:
        return f"--- workspace: {len(old)} lines\n+++ file: {len(new)} lines\n"
    return "".join(difflib.unified_diff(old, new, "workspace", "file"))


def _as_tried(result: Applied) -> Applied:
    if result.action != "create":
        return result
    return Applied("create", None, result.key, result.name, None, result.diff)
