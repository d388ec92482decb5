"""A draft of a definition as the builder shows it, with places for further steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api_bridge.console import texts
from api_bridge.console.views import flow, words
from automations.definitions import editing
from automations.definitions.editing import LocatedStep, Position
from automations.kit.values import Errors
from automations.steps.registry import STEP_TYPES

MAX_DRAWN = 120
"""Steps of one page; the others are edited as text."""


@dataclass(frozen=True, slots=True)
class StepList:
    """A list of steps inside of a step.

    Args:
        end: the place behind its last step.
    """

    name: str
    label: str
    nodes: Sequence[Node]
    end: Position


@dataclass(frozen=True, slots=True)
class Node:
    """A step as it is drawn.

    Args:
        problems: how many there are with it.
    """

    id: str
    name: str
    title: str
    icon: str
    summary: str
    disabled: bool
    marks: Sequence[str]
    problems: int
    spot: Position
    arms: Sequence[StepList]


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of steps that can be added."""

    type: str
    title: str
    icon: str
    about: str


def _first_line(doc: str) -> str:
    """The first line of a docstring, without the marks of code in it."""
    return doc.strip().partition("\n")[0].replace("`", "")


KINDS: Sequence[Kind] = [
    Kind(name, kind.title, words.icon(name), _first_line(kind.__doc__ or ""))
    for name, kind in STEP_TYPES.items()
]


_GROUPS: Mapping[str, Sequence[str]] = {
    "flow": ("condition", "loop", "delay", "run_workflow"),
    "people": ("approval", "send_form", "notification", "email", "slack"),
    "data": ("http_request", "table_operations", "create_matter"),
    "documents": ("generate_document", "send_document", "evidence_snapshot"),
}
_OTHERS = "more"


def _group_of(kind: str) -> str:
    """Where people look for a type of steps."""
    return next((name for name, kinds in _GROUPS.items() if kind in kinds), _OTHERS)


def _in_group(name: str) -> list[Kind]:
    kinds = [kind for kind in KINDS if _group_of(kind.type) == name]
    order = _GROUPS.get(name, ())
    return sorted(kinds, key=lambda kind: order.index(kind.type)) if order else kinds


KIND_GROUPS: Mapping[str, Sequence[Kind]] = {name: _in_group(name) for name in (*_GROUPS, _OTHERS)}


def build_nodes(definition: editing.Draft, errors: Errors) -> list[Node]:
    """The steps of a draft."""
    return _nodes(definition.get("steps"), "", "steps", "steps", errors, [MAX_DRAWN])


def is_cut(definition: editing.Draft) -> bool:
    """Whether there are more steps than are drawn."""
    return sum(1 for _ in editing.walk(definition)) > MAX_DRAWN


def errors_of(errors: Errors, path: str, inside: Sequence[str] = ()) -> Errors:
    """What is wrong with a step, by its own fields.

    Args:
        path: the step's.
        inside: paths of lists inside of it, whose steps have their own.
    """
    errors_below: Errors = {}
    for error_path, messages in errors.items():
        rest = error_path.removeprefix(f"{path}.") if error_path.startswith(f"{path}.") else None
        if error_path == path:
            rest = ""
        if rest is not None and not any(_is_step_of(rest, other) for other in inside):
            errors_below[rest] = messages
    return errors_below


def named_errors(errors: Errors, definition: editing.Draft) -> Errors:
    """What is wrong, by the names of steps and the paths within them, for where all is listed."""
    paths = {located.path: str(located.step.get("name")) for located in editing.walk(definition)}
    return {_named(path, paths): messages for path, messages in errors.items()}


def _named(path: str, paths: Mapping[str, str]) -> str:
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        if (name := paths.get(".".join(parts[:length]))) is not None:
            rest = ".".join(parts[length:]).removeprefix("config.")
            # The path is kept behind it: two steps may have one name.
            return texts.text("builder.at_step", name=name, rest=rest or path)
    return path


def own_errors(errors: Errors, placed: LocatedStep) -> Errors:
    """What is wrong with a step itself, not with those inside of it."""
    return errors_of(errors, placed.path, _lists(placed.step))


def elsewhere(errors: Errors) -> Errors:
    """What is wrong with neither the trigger nor a step."""
    return {
        path: messages
        for path, messages in errors.items()
        if not path.startswith(("steps.", "trigger.")) and path != "trigger"
    }


def _lists(step: Mapping[str, Any]) -> list[str]:
    return [name if name == "onError" else f"config.{name}" for name, _ in editing.step_lists(step)]


def _is_step_of(path: str, inside: str) -> bool:
    if not path.startswith(f"{inside}."):
        return False
    return path.removeprefix(f"{inside}.").partition(".")[0].isdecimal()


def _nodes(
    steps: Any, owner: str, name: str, path: str, errors: Errors, left: list[int]
) -> list[Node]:
    nodes: list[Node] = []
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        if left[0] == 0:
            break
        if isinstance(step, dict):
            left[0] -= 1
            spot = Position(owner, name, index)
            nodes.append(_node(step, spot, f"{path}.{index}", errors, left))
    return nodes


def _node(
    step: Mapping[str, Any], spot: Position, path: str, errors: Errors, left: list[int]
) -> Node:
    kind, step_id = str(step.get("type")), str(step.get("id"))
    step_type = STEP_TYPES.get(kind)
    arms = []
    for name, nested in editing.step_lists(step):
        inner = f"{path}.{name}" if name == "onError" else f"{path}.config.{name}"
        nodes = _nodes(nested, step_id, name, inner, errors, left)
        end = Position(step_id, name, len(nested))
        arms.append(StepList(name, texts.text(f"flow.{name}"), nodes, end))
    return Node(
        id=step_id,
        name=str(step.get("name") or ""),
        title=step_type.title if step_type else kind,
        icon=words.icon(kind),
        summary=flow.summary(step.get("config")),
        disabled=step.get("disabled") is True,
        marks=list(flow.marks_of(step)),
        problems=len(errors_of(errors, path, _lists(step))),
        spot=spot,
        arms=arms,
    )
