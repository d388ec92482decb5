"""Whether what the steps of an automation name by id is there, when it is to begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from automations.db import documents, matters
from automations.db.forms import forms
from automations.db.rows import data_tables
from automations.db.session import Session
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
}


def check(
    session: Session, workspace_id: str, definition: Definition, status: WorkflowStatus
) -> None:
    """Check the ids in the steps of an automation that is to begin; templates give theirs later.

    Raises:
        ValidationFailed: names the fields whose subjects are not there.
    """
    if status is not WorkflowStatus.ACTIVE:
        return
    errors: dict[str, list[str]] = {}
    for path, step in walk(definition.steps):
        for field, subject in STEP_TYPES[step.type].refers_to.items():
            given = getattr(step.config, field)
            if given is None or is_template(given):
                continue
            if _FINDERS[subject](session, workspace_id, given) is None:
                name = type(step.config).model_fields[field].alias
                errors[f"{path}.config.{name}"] = [f"there is no {subject} {given}"]
    if errors:
        raise ValidationFailed(errors)
