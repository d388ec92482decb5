"""Boards and matters as forms, and back."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from pydantic import Field, ValidationError
from starlette.datastructures import FormData

from api_bridge.console import texts
from api_bridge.console.posted import text
from api_bridge.console.views import listed, meanwhile
from api_bridge.form_inputs import as_it_was, one_break
from automations.definitions.field_errors import field_errors
from automations.domain.fields import Lenient
from automations.domain.matters import (
    MAX_TAGS,
    Board,
    BoardType,
    MatterDetail,
    MatterTemplate,
    Priority,
    StepKind,
    Tag,
    Title,
)
from automations.domain.tables.cells import of_text, text_of
from automations.domain.tables.columns import Column
from automations.errors import ValidationFailed
from automations.kit import json_text
from automations.kit.canonical_json import mark_of
from automations.kit.values import Errors

KINDS: tuple[str, ...] = get_args(StepKind)
TYPES: tuple[str, ...] = get_args(BoardType)
PRIORITIES: tuple[str, ...] = get_args(Priority)
SEEN = "seen."
_MAX_STEPS = 250
"""More inputs than a board may have steps, so that the rule itself is what refuses them."""
_TAGS = Column(key="tags", type="multiselect")
_EMPTY = 3
"""Steps that a new board is offered."""


class _Fields(Lenient):
    """What people type of a matter."""

    title: Title
    priority: Priority
    assignee_id: str | None
    tags: list[Tag] = Field(max_length=MAX_TAGS)
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StepDraft:
    """A step as it is typed; its id is empty while it is new."""

    id: str = ""
    name: str = ""
    type: str = "TASK"


@dataclass(frozen=True, slots=True)
class BoardDraft:
    """A board as it is typed."""

    name: str = ""
    description: str = ""
    board_type: str = "PROCESS"
    steps: tuple[StepDraft, ...] = field(default_factory=tuple)


_NOTHING = BoardDraft()


def empty() -> BoardDraft:
    """What a new board begins with."""
    return BoardDraft(steps=(StepDraft(),) * _EMPTY)


def of(template: MatterTemplate) -> BoardDraft:
    """A board as it is."""
    steps = [
        StepDraft(str(one["id"]), str(one["name"]), str(one["type"])) for one in template.steps
    ]
    return BoardDraft(template.name, template.description, template.board_type, tuple(steps))


def read(form: FormData, before: BoardDraft = _NOTHING) -> BoardDraft:
    """What was typed.

    Args:
        before: the board as it is: what nobody has touched stays exactly.
    """
    names = {one.id: [one.name] for one in before.steps}
    steps = []
    for place in range(_MAX_STEPS):
        if f"s{place}.name" not in form:
            break
        step_id = text(form, f"s{place}.id")
        name = as_it_was(text(form, f"s{place}.name"), names.get(step_id, ()))
        steps.append(StepDraft(step_id, name, text(form, f"s{place}.type")))
    return BoardDraft(
        as_it_was(text(form, "name"), [before.name]),
        as_it_was(text(form, "description"), [before.description]),
        text(form, "board_type", "PROCESS"),
        tuple(steps),
    )


def done(draft: BoardDraft, what: str) -> BoardDraft:
    """What a button makes of it.

    Raises:
        ValidationFailed: there is no such button.
    """
    return replace(draft, steps=listed.done(draft.steps, what, StepDraft()))


def board(draft: BoardDraft) -> Board:
    """The board that is typed; steps without a name that are new are none.

    Raises:
        ValidationFailed: it is no board; names the inputs.
    """
    steps, places = [], []
    for place, one in enumerate(draft.steps):
        if one.id or one.name.strip():
            steps.append({"name": one.name, "type": one.type} | ({"id": one.id} if one.id else {}))
            places.append(place)
    given = {
        "name": draft.name,
        "description": draft.description,
        "boardType": draft.board_type,
        "steps": steps,
    }
    try:
        return Board.model_validate(given)
    except ValidationError as error:
        found = field_errors(error, given)
        raise ValidationFailed(
            {_input(path, places): told for path, told in found.items()}
        ) from error


def typed(form: FormData) -> dict[str, Any]:
    """What was typed of a matter: its fields by their names, as they are kept.

    Raises:
        ValidationFailed: one cannot be.
    """
    given = {
        "title": one_break(text(form, "title")),
        "priority": text(form, "priority", "MEDIUM"),
        "assignee_id": text(form, "assignee_id") or None,
        "tags": of_text(_TAGS, one_break(text(form, "tags"))),
        "properties": _properties(text(form, "properties")),
    }
    try:
        return _Fields.model_validate(given).model_dump()
    except ValidationError as error:
        raise ValidationFailed(field_errors(error, given)) from error


def changed(form: FormData, detail: MatterDetail) -> tuple[dict[str, Any], dict[str, str]]:
    """What was typed anew of a matter, and the marks of what it was.

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
        if seen.get(name) == mark and one_break(text(form, name)) == one_break(shown[name])
    }
    new = {
        name: value
        for name, value in typed(form).items()
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


def typed_again(
    detail: MatterDetail, form: FormData | None, anew: Collection[str] | None = None
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """A matter's fields as they were typed, and the marks of what they are changes of.

    Args:
        anew: the fields for which that is shown again, over what they are now; the others are
            shown as they are.
    """
    found, known = as_typed(detail), dict(marks(detail))
    if form is not None:
        again = [name for name in found if name in form and (anew is None or name in anew)]
        found |= {name: text(form, name) for name in again}
        if anew is None:
            known |= {name: text(form, f"{SEEN}{name}", known[name]) for name in again}
    return found, known


def now(detail: MatterDetail, seen: Mapping[str, str], people: Mapping[str, str]) -> Errors:
    """What those fields are now that somebody else has changed.

    Args:
        seen: the marks of what they were.
        people: the names of members by their ids.
    """
    shown = as_typed(detail)
    shown["priority"] = texts.text(f"matter.priority.{detail.matter.priority}")
    shown["assignee_id"] = people.get(shown["assignee_id"], shown["assignee_id"])
    known = marks(detail)
    return {name: [meanwhile.now(shown[name])] for name in seen if known[name] != seen[name]}


def _properties(given: str) -> Any:
    if not given.strip():
        return {}
    try:
        found = json_text.parsed(given)
    except ValueError as error:
        raise ValidationFailed({"properties": [str(error)]}) from error
    if not isinstance(found, dict):
        raise ValidationFailed(
            {"properties": ['must be a JSON object, such as {"client": "ACME"}']}
        )
    return found


def _input(path: str, places: Sequence[int]) -> str:
    head, _, rest = path.partition(".")
    place, _, name = rest.partition(".")
    if head == "steps" and place.isdigit():
        return f"s{places[int(place)]}.{name or 'name'}"
    return path


def wrong(error: ValidationFailed) -> Errors:
    """What is wrong with a matter, by the names of its inputs."""
    names = {"assigneeId": "assignee_id", "templateId": "board"}
    return {names.get(path, path): told for path, told in error.field_errors.items()}
