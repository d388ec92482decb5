"""Matches the automations in a file with existing ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automations.db.session import Session
from automations.db.tables import Workflow
from automations.db.workflows import versions, workflows
from automations.errors import ValidationFailed
from automations.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class Entry:
    """One automation of a file.

    Args:
        given: what the file says of it, without its id.
        workflow: None for one that is to be created.
        workflow_id: the one that it has, or is to have.
    """

    given: Mapping[str, Any]
    workflow: Workflow | None
    workflow_id: str


class Existing:
    """What there is so far of what the automations of a file may mean, read at once and locked."""

    def __init__(self, session: Session, workspace_id: str, payloads: Sequence[Any]) -> None:
        objects = [payload for payload in payloads if isinstance(payload, dict)]
        ids = {str(entry["id"]) for entry in objects if entry.get("id") is not None}
        by_name = [_key_and_name(entry) for entry in objects if entry.get("id") is None]
        names = {name for _, name in by_name if name is not None}
        keys = {key for key, _ in by_name if key is not None}
        matches = workflows.matching(session, workspace_id, ids, keys, names)
        self.by_id = {workflow.id: workflow for workflow in matches}
        self.by_key = {workflow.key: workflow for workflow in matches if workflow.key is not None}
        self.by_name: dict[str, list[Workflow]] = {}
        for row in matches:
            if row.key is None:
                self.by_name.setdefault(row.name, []).append(row)
        self.definitions = versions.newest_definitions(session, self.by_id)

    def entry_of(self, payload: Any, entries: Entries) -> Entry:
        """Which automation one of a file is."""
        if not isinstance(payload, dict):
            raise ValidationFailed({"body": ["must be an automation, with a name and steps"]})
        fields = dict(payload)
        workflow_id = fields.pop("id", None)
        workflow = _find_existing(self, workflow_id, fields)
        if workflow is not None and workflow_id is None:
            other = entries.of.get(entries.by_workflow.get(workflow.id, -1))
            if other is not None and other.given.get("key") != fields.get("key"):
                # Who the file gives another key is not the one that is meant.
                workflow = None
        index = (
            entries.by_workflow.get(workflow.id)
            if workflow is not None
            else entries.find_new(fields)
        )
        if index is not None:
            raise ValidationFailed(
                {"name": [f"is the same automation as number {index + 1} of the file"]}
            )
        return Entry(fields, workflow, new_id() if workflow is None else workflow.id)


class Entries:
    """Those of a file, by their places, and where each is that is found again."""

    def __init__(self) -> None:
        self.of: dict[int, Entry] = {}
        self.by_workflow: dict[str, int] = {}
        self._by_key: dict[Any, int] = {}
        self._by_name: dict[Any, int] = {}

    def add(self, index: int, entry: Entry) -> None:
        self.of[index] = entry
        key, name = _key_and_name(entry.given)
        if entry.workflow is not None:
            self.by_workflow[entry.workflow.id] = index
        elif key is not None:
            self._by_key[key] = index
        else:
            self._by_name[name] = index

    def find_new(self, fields: Mapping[str, Any]) -> int | None:
        """Which one that is to be created would be found, once it is there, for another."""
        key, name = _key_and_name(fields)
        return (
            self._by_name.get(name)
            if key is None
            else self._by_key.get(key, self._by_name.get(name))
        )


class Keys:
    """The keys of the workspace's automations as they are after the file, and whose they are."""

    def __init__(self, session: Session, workspace_id: str, entries: Iterable[Entry]) -> None:
        self.of = workflows.keys(session, workspace_id)
        for entry in entries:
            self.of.pop(entry.workflow_id, None)
            key = entry.given.get("key")
            if isinstance(key, str):
                self.of[entry.workflow_id] = key
        self.ids = {key: workflow_id for workflow_id, key in self.of.items()}


def _key_and_name(fields: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Its key and name; None for one that is none, as checking it will say."""
    key, name = fields.get("key"), fields.get("name")
    return key if isinstance(key, str) else None, name if isinstance(name, str) else None


def _find_existing(
    existing: Existing, workflow_id: Any, fields: Mapping[str, Any]
) -> Workflow | None:
    if workflow_id is not None:
        workflow = existing.by_id.get(str(workflow_id))
        if workflow is None:
            problem = f"there is no automation {workflow_id} here"
            mend = "without an id one is made, and with a key in its place it is found anywhere"
            raise ValidationFailed({"id": [f"{problem}: {mend}"]})
        return workflow
    key, name = fields.get("key"), fields.get("name")
    if not isinstance(name, str) or not isinstance(key, str | None):
        return None  # invalid, as checking it will say
    if key is not None and key in existing.by_key:
        return existing.by_key[key]
    namesakes = existing.by_name.get(name, [])
    if len(namesakes) > 1:
        ids = ", ".join(workflow.id for workflow in namesakes)
        raise ValidationFailed({"name": [f"several automations have it: give one's id ({ids})"]})
    return namesakes[0] if namesakes else None
