"""Whether what the steps of an automation name by id is there, when it is to begin."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from automations.db import documents, matters
from automations.db.access import members
from automations.db.forms import forms
from automations.db.rows import data_tables
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


def check(
    session: Session, workspace_id: str, definition: Definition, status: WorkflowStatus
) -> None:
    """Check the ids in the steps of an automation that is to begin; templates give theirs later.

    Not those of automations, which one file may have: see ``check_automations``.

    Raises:
        ValidationFailed: names the fields whose subjects are not there.
    """
    if status is WorkflowStatus.ACTIVE:
        _check(session, workspace_id, definition, _FINDERS.keys() - _IN_FILES)


def check_automations(session: Session, workspace_id: str, definition: Definition) -> None:
    """The same of automations, when all that are written together are."""
    _check(session, workspace_id, definition, _IN_FILES)


def _check(
    session: Session, workspace_id: str, definition: Definition, subjects: Collection[Subject]
) -> None:
    errors: dict[str, list[str]] = {}
    seen: dict[tuple[Subject, str], bool] = {}
    for path, subject, given in _named(definition):
        if subject not in subjects:
            continue
        one = (subject, given)
        if one not in seen:
            seen[one] = _FINDERS[subject](session, workspace_id, given) is not None
        if not seen[one]:
            errors[path] = [f"there is no {subject} {given}"]
    if errors:
        raise ValidationFailed(errors)


def _named(definition: Definition) -> Iterator[tuple[str, Subject, str]]:
    """The ids that are written down in steps, with their places and what they are of."""
    for path, step in walk(definition.steps):
        for field, subject in STEP_TYPES[step.type].refers_to.items():
            for place, given in _values(step.config, field.split("."), f"{path}.config"):
                if not is_template(given):
                    yield place, subject, given


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
