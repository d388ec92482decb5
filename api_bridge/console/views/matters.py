"""A matter as a form, and back; untouched fields stay, whoever has changed them meanwhile.

Beside each input stands a mark of the value that it was made with. By it one sees what the reader
has changed, and whether somebody else has, too.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, get_args

from pydantic import ValidationError
from starlette.datastructures import FormData

from api_bridge.console import texts
from api_bridge.console.form_data import text
from api_bridge.console.views import conflicts
from api_bridge.console.views.typed_values import object_of
from automations.definitions.field_errors import field_errors
from automations.domain.fields import Lenient
from automations.domain.matters import MatterDetail, Priority, Tags, Title
from automations.domain.tables.cells import parse_text, text_of
from automations.domain.tables.columns import Column
from automations.errors import ValidationFailed
from automations.kit.canonical_json import mark_of
from automations.kit.line_breaks import normalise_breaks
from automations.kit.values import JSON, Errors

PRIORITIES: tuple[str, ...] = get_args(Priority)
SEEN = "seen."
"""Begins the names of the inputs that hold the marks; the field's name follows."""
_TAGS = Column(key="tags", type="multiselect")


class _Fields(Lenient):
    """What people type of a matter."""

    title: Title
    priority: Priority
    assignee_id: str | None
    tags: Tags
    properties: dict[str, Any]


def read_fields(form: FormData) -> dict[str, Any]:
    """What was typed of a matter: its fields by their names, as they are kept.

    Raises:
        ValidationFailed: one cannot be.
    """
    fields = {
        "title": normalise_breaks(text(form, "title")),
        "priority": text(form, "priority", "MEDIUM"),
        "assignee_id": text(form, "assignee_id") or None,
        "tags": _read_tags(normalise_breaks(text(form, "tags"))),
        "properties": object_of(text(form, "properties"), "properties", '{"client": "ACME"}'),
    }
    try:
        return _Fields.model_validate(fields).model_dump()
    except ValidationError as error:
        raise ValidationFailed(field_errors(error, fields)) from error


def _read_tags(typed: str) -> JSON:
    try:
        return parse_text(_TAGS, typed)
    except ValueError as error:
        raise ValidationFailed({"tags": [str(error)]}) from error


def read_changes(form: FormData, detail: MatterDetail) -> tuple[dict[str, Any], dict[str, str]]:
    """The fields that the reader has changed, with their new values, and the marks that they saw.

    Args:
        detail: the matter as it is now.

    Raises:
        ValidationFailed: a field cannot be read.
    """
    seen = {
        name.removeprefix(SEEN): value
        for name, value in form.items()
        if name.startswith(SEEN) and isinstance(value, str)
    }
    now, shown = marks(detail), as_typed(detail)
    untouched = {
        name
        for name, mark in now.items()
        if seen.get(name) == mark
        and normalise_breaks(text(form, name)) == normalise_breaks(shown[name])
    }
    new = {
        name: value
        for name, value in read_fields(form).items()
        if name in seen and name not in untouched and mark_of(value) != seen[name]
    }
    return new, {name: seen[name] for name in new}


def marks(detail: MatterDetail) -> Mapping[str, str]:
    """The marks of a matter's fields as they are."""
    matter = detail.matter
    return {
        "title": mark_of(matter.title),
        "priority": mark_of(matter.priority),
        "assignee_id": mark_of(matter.assignee_id),
        "tags": mark_of(list(matter.tags)),
        "properties": mark_of(dict(matter.properties)),
    }


def as_typed(detail: MatterDetail) -> dict[str, str]:
    """A matter's fields as they are typed."""
    matter = detail.matter
    properties = dict(matter.properties)
    return {
        "title": matter.title,
        "priority": matter.priority,
        "assignee_id": matter.assignee_id or "",
        "tags": text_of(_TAGS, list(matter.tags)) if matter.tags else "",
        "properties": json.dumps(properties, ensure_ascii=False, indent=2) if properties else "",
    }


def refill_inputs(
    detail: MatterDetail, form: FormData | None, anew: Collection[str] | None = None
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What the inputs of a matter's page hold, and the marks beside them.

    Args:
        form: what was typed and could not be taken, to be shown again; None for a fresh page.
        anew: the only fields to show it again for, when somebody else has changed the matter
            meanwhile; all marks are those of the present values then.
    """
    values, seen_marks = as_typed(detail), dict(marks(detail))
    if form is not None:
        again = [name for name in values if name in form and (anew is None or name in anew)]
        values |= {name: text(form, name) for name in again}
        if anew is None:
            seen_marks |= {name: text(form, f"{SEEN}{name}", seen_marks[name]) for name in again}
    return values, seen_marks


def current_values(
    detail: MatterDetail, seen: Mapping[str, str], people: Mapping[str, str]
) -> Errors:
    """What those fields are now that somebody else has changed.

    Args:
        seen: the marks of what they were.
        people: the names of members by their ids.
    """
    shown = as_typed(detail)
    shown["priority"] = texts.text(f"matter.priority.{detail.matter.priority}")
    shown["assignee_id"] = people.get(shown["assignee_id"], shown["assignee_id"])
    current_marks = marks(detail)
    return {
        name: [conflicts.describe_current(shown[name])]
        for name in seen
        if current_marks[name] != seen[name]
    }


def wrong(error: ValidationFailed) -> Errors:
    """What is wrong with a matter, by the names of its inputs."""
    names = {"assigneeId": "assignee_id", "templateId": "board"}
    return {names.get(path, path): messages for path, messages in error.field_errors.items()}
