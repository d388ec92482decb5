"""Checks that what an automation's steps name by id exists, when it is activated."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automations.db import documents, matters
from automations.db.access import members
from automations.db.forms import forms
from automations.db.rows import data_rows, data_tables
from automations.db.session import Session
from automations.db.workflows import workflows
from automations.definitions.model import Definition, walk
from automations.domain.fields import is_template
from automations.domain.statuses import WorkflowStatus
from automations.errors import ValidationFailed
from automations.steps.base import Subject
from automations.steps.registry import STEP_TYPES

_FINDERS: Mapping[Subject, Callable[[Session, str, str], object | None]] = {
    Subject.FORM: forms.find,
    Subject.TABLE: data_tables.find,
    Subject.DOCUMENT_TEMPLATE: documents.find_template,
    Subject.BOARD: matters.find_template,
    Subject.DOCUMENT: documents.find,
    Subject.MEMBER: members.find,
    Subject.AUTOMATION: workflows.find,
}
_IN_FILES = frozenset({Subject.AUTOMATION})
"""What may be written together with the automation that names it."""


@dataclass(frozen=True, slots=True)
class _Named:
    """What a step names by its id.

    Args:
        table_id: of a row: the table that the step names, if that is written down, too.
    """

    subject: Subject
    id: str
    table_id: str | None = None

    def is_there(self, session: Session, workspace_id: str) -> bool:
        """Whether the workspace has it."""
        if self.subject is Subject.ROW:
            return data_rows.is_there(session, workspace_id, self.id, self.table_id)
        return _FINDERS[self.subject](session, workspace_id, self.id) is not None


def check(
    session: Session, workspace_id: str, definition: Definition, status: WorkflowStatus
) -> None:
    """Check the ids in the steps of an automation that is to begin; templates give theirs later.

    Not those of automations, which one file may have: see ``check_automations``.

    Raises:
        ValidationFailed: names the fields whose subjects are not there.
    """
    if status is WorkflowStatus.ACTIVE:
        _check(session, workspace_id, definition, frozenset(Subject) - _IN_FILES)


def check_automations(session: Session, workspace_id: str, definition: Definition) -> None:
    """The same of automations, when all that are written together are."""
    _check(session, workspace_id, definition, _IN_FILES)


def _check(
    session: Session, workspace_id: str, definition: Definition, subjects: Collection[Subject]
) -> None:
    errors: dict[str, list[str]] = {}
    seen: dict[_Named, bool] = {}
    for path, named in _references(definition):
        if named.subject not in subjects:
            continue
        if named not in seen:
            seen[named] = named.is_there(session, workspace_id)
        if not seen[named]:
            errors[path] = [f"there is no {named.subject} {named.id}"]
    if errors:
        raise ValidationFailed(errors)


def _references(definition: Definition) -> Iterator[tuple[str, _Named]]:
    """The ids that are written down in steps, with their places."""
    for path, step in walk(definition.steps):
        table_id = None
        for field, subject in STEP_TYPES[step.type].refers_to.items():
            for place, value in _values(step.config, field.split("."), f"{path}.config"):
                if is_template(value):
                    continue
                if subject is Subject.TABLE:
                    table_id = value
                yield place, _Named(subject, value, table_id if subject is Subject.ROW else None)


def _values(value: Any, fields: Sequence[str], path: str) -> Iterator[tuple[str, str]]:
    """The texts of a field, or of a field of each part of a list, with their places."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _values(item, fields, f"{path}.{index}")
    elif isinstance(value, str):
        # Where parts are expected, one template may give all of them.
        if not fields or is_template(value):
            yield path, value
    elif value is not None and fields:
        name = fields[0]
        alias = type(value).model_fields[name].alias or name
        yield from _values(getattr(value, name), fields[1:], f"{path}.{alias}")
