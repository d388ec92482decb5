"""A board as a form, and back: its name, its type and its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from pydantic import ValidationError
from starlette.datastructures import FormData

from api_bridge.console.form_data import text
from api_bridge.console.views import part_lists
from automations.definitions.field_errors import field_errors
from automations.domain.matters import Board, BoardType, MatterTemplate, StepKind
from automations.errors import ValidationFailed
from automations.kit.line_breaks import as_it_was

KINDS: tuple[str, ...] = get_args(StepKind)
TYPES: tuple[str, ...] = get_args(BoardType)
_MAX_STEPS = 250
"""More inputs than a board may have steps, so that the rule itself is what refuses them."""
_EMPTY_ROWS = 3
"""Steps that a new board is offered."""


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
    return BoardDraft(steps=(StepDraft(),) * _EMPTY_ROWS)


def from_template(template: MatterTemplate) -> BoardDraft:
    """A board as it is."""
    steps = [
        StepDraft(str(step["id"]), str(step["name"]), str(step["type"])) for step in template.steps
    ]
    return BoardDraft(template.name, template.description, template.board_type, tuple(steps))


def read(form: FormData, before: BoardDraft = _NOTHING) -> BoardDraft:
    """What was typed.

    Args:
        before: the board as it is: what nobody has touched stays exactly.
    """
    names = {step.id: [step.name] for step in before.steps}
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


def apply(draft: BoardDraft, what: str) -> BoardDraft:
    """What a button makes of it.

    Raises:
        ValidationFailed: there is no such button.
    """
    return replace(draft, steps=part_lists.apply(draft.steps, what, StepDraft()))


def board(draft: BoardDraft) -> Board:
    """The board that is typed; steps without a name that are new are none.

    Raises:
        ValidationFailed: it is no board; names the inputs.
    """
    steps, places = [], []
    for place, step in enumerate(draft.steps):
        if step.id or step.name.strip():
            steps.append(
                {"name": step.name, "type": step.type} | ({"id": step.id} if step.id else {})
            )
            places.append(place)
    shape = {
        "name": draft.name,
        "description": draft.description,
        "boardType": draft.board_type,
        "steps": steps,
    }
    try:
        return Board.model_validate(shape)
    except ValidationError as error:
        errors = field_errors(error, shape)
        raise ValidationFailed(
            {_input(path, places): messages for path, messages in errors.items()}
        ) from error


def _input(path: str, places: Sequence[int]) -> str:
    head, _, rest = path.partition(".")
    place, _, name = rest.partition(".")
    if head == "steps" and place.isdigit():
        return f"s{places[int(place)]}.{name or 'name'}"
    return path
