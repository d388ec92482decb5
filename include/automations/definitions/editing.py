"""Edits a definition: adds, moves, copies and removes steps.

What is changed is JSON that need not be valid yet. A change gives a new value and leaves the old
one as it is, so that it can be taken back.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from automations.definitions import step_ids
from automations.errors import NotFound, ValidationFailed
from automations.kit.ids import tail
from automations.steps.registry import STEP_TYPES

Draft = dict[str, Any]

TOP = "steps"
"""The name of the list that is in no step."""
_OF_ANY_STEP = ((None, "onError"),)
"""Where steps may lie inside of a step whose type is not known yet."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_DEPTH = 20
"""Steps inside of steps; what is nested deeper is left as it was written, and edited as text."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a step is or may be.

    Args:
        owner: the id of the step in which the list is; empty for the list that is in none.
        name: of the list: ``then``, ``steps``, ``onError`` …
        index: its place in the list.
    """

    owner: str
    name: str
    index: int

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}/{self.index}"


@dataclass(frozen=True, slots=True)
class LocatedStep:
    """A step with its place.

    Args:
        path: as errors name it: ``steps.0.config.then.1``.
        parents: the ids of the steps around it, the outermost first.
        siblings: how many steps its list has.
    """

    step: Draft
    spot: Position
    path: str
    parents: tuple[str, ...]
    siblings: int


def position_of(written: str) -> Position:
    """A place as ``str`` writes it.

    Raises:
        ValidationFailed: it is none.
    """
    owner, _, rest = written.partition("/")
    name, _, index = rest.partition("/")
    if not (index.isdecimal() and len(index) < 6 and name and (not owner or _ID.fullmatch(owner))):
        raise ValidationFailed({"do": [f"'{written[:100]}' is no place for a step"]})
    return Position(owner, name, int(index))


def lay_out(definition: Mapping[str, Any]) -> Draft:
    """A definition whose steps all have ids, and stand in the order in which they run."""
    draft = copy.deepcopy(dict(definition))
    draft["steps"] = _arrange(draft.get("steps"), set(), 0)
    return draft


def walk(definition: Mapping[str, Any]) -> Iterator[LocatedStep]:
    """All steps of a definition that is laid out, each before those inside of it."""
    yield from _walk(_list(definition.get("steps")), "", TOP, TOP, ())


def find(definition: Mapping[str, Any], step_id: str) -> LocatedStep:
    """A step.

    Raises:
        NotFound: there is none of this id.
    """
    for placed in walk(definition):
        if placed.step.get("id") == step_id:
            return placed
    raise NotFound(f"There is no step {step_id} in this draft.")


def end_of(definition: Mapping[str, Any]) -> Position:
    """The place behind the last step that is in no other."""
    return Position("", TOP, len(_list(definition.get("steps"))))


def step_lists(step: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """The lists inside of a step that may hold steps, also those that are empty or not there."""
    kind = str(step.get("type"))
    config = step.get("config")
    if kind in STEP_TYPES:
        own = config if isinstance(config, dict) else {}
        for name in (*STEP_TYPES[kind].arms, *STEP_TYPES[kind].body):
            steps = own.get(name, [] if name in _always_there(kind) else None)
            if isinstance(steps, list):
                yield name, steps
    if isinstance(step.get("onError"), list):
        yield "onError", step["onError"]


@lru_cache(maxsize=64)
def _always_there(kind: str) -> frozenset[str]:
    """The lists of a type of steps that are empty when nothing is said of them."""
    model = STEP_TYPES[kind].Config
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    return frozenset(
        name
        for name in (*STEP_TYPES[kind].arms, *STEP_TYPES[kind].body)
        if fields[name].is_required() or fields[name].default_factory is list
    )


def add(definition: Draft, kind: str, position: Position) -> tuple[Draft, str]:
    """The definition with a new step, and its id.

    Raises:
        ValidationFailed: there is no such type.
        NotFound: there is no such place.
    """
    if kind not in STEP_TYPES:
        raise ValidationFailed({"type": [f"unknown type '{kind[:100]}'"]})
    title = STEP_TYPES[kind].title
    step: Draft = {
        "id": _new_id(kind),
        "name": _free(_names(definition), title),
        "type": kind,
        "config": {},
    }
    for name in STEP_TYPES[kind].body:
        step["config"][name] = []
    return _put(definition, [step], position), step["id"]


def remove(definition: Draft, step_id: str) -> Draft:
    """The definition without a step, and without those inside of it."""
    draft = copy.deepcopy(definition)
    position = find(draft, step_id).spot
    del _target(draft, position)[position.index]
    return draft


def duplicate(definition: Draft, step_id: str) -> tuple[Draft, str]:
    """The definition with a copy of a step behind it, and the copy's id."""
    placed = find(definition, step_id)
    return insert(definition, [placed.step], behind(placed.spot))


def insert(definition: Draft, steps: Sequence[Draft], spot: Position) -> tuple[Draft, str]:
    """The definition with copies of steps, of its own or of others, and the id of the first.

    They have ids of their own, and names that no other step has: where they name each other, they
    do so by these.

    Raises:
        NotFound: there is no such place.
    """
    new: list[Draft] = lay_out({"steps": list(steps)})["steps"]
    taken = _names(definition)
    renamed: dict[str, str] = {}
    reached: dict[str, int] = {}
    for inner in walk({"steps": new}):
        name = str(inner.step.get("name") or inner.step.get("type"))
        inner.step["id"] = _new_id(inner.step.get("type"))
        inner.step["name"] = _free(taken, name, reached)
        taken.add(inner.step["name"])
        renamed.setdefault(name, inner.step["name"])
    new = _rename(new, {old: name for old, name in renamed.items() if old != name})
    return _put(definition, new, spot), str(new[0]["id"])


def behind(spot: Position) -> Position:
    """The place behind a step's."""
    return Position(spot.owner, spot.name, spot.index + 1)


def move(definition: Draft, step_id: str, to: Position) -> Draft:
    """The definition with a step at another place; places are counted as they are before.

    Raises:
        ValidationFailed: the place is inside of the step itself.
        NotFound: there is no such step or place.
    """
    placed = find(definition, step_id)
    inside = {inner.step.get("id") for inner in walk({"steps": [placed.step]})}
    if to.owner in inside:
        raise ValidationFailed({"do": ["a step cannot be moved into itself"]})
    draft = copy.deepcopy(definition)
    target, source = _target(draft, to), _target(draft, placed.spot)
    if to.index > len(target):
        raise NotFound(f"There is no place {to} in this draft.")
    step = source.pop(placed.spot.index)
    earlier = target is source and to.index > placed.spot.index
    target.insert(to.index - earlier, step)
    return draft


def neighbours(definition: Mapping[str, Any], placed: LocatedStep) -> dict[str, Position]:
    """Where a step can be moved by one: ``up``, ``down``, ``in`` and ``out`` of another step."""
    position, positions = placed.spot, {}
    above = Position(position.owner, position.name, position.index - 1)
    if position.index > 0:
        positions["up"] = above
        before = _target(definition, position)[position.index - 1]
        for name, inner in step_lists(before) if isinstance(before, dict) else ():
            if len(placed.parents) + 1 < _MAX_DEPTH:
                positions["in"] = Position(str(before.get("id")), name, len(inner))
            break
    if position.index < placed.siblings - 1:
        positions["down"] = Position(position.owner, position.name, position.index + 2)
    if placed.parents:
        around = find(definition, placed.parents[-1]).spot
        positions["out"] = Position(around.owner, around.name, around.index + 1)
    return positions


def replace(definition: Draft, step_id: str, step: Draft) -> Draft:
    """The definition with another step in the place of one; its name goes along where it is used.

    Templates name steps by their names: those of the old name name the new one then.
    """
    draft = copy.deepcopy(definition)
    position = find(draft, step_id).spot
    target = _target(draft, position)
    old, new = str(target[position.index].get("name")), str(step.get("name"))
    target[position.index] = copy.deepcopy(step)
    names = [located.step.get("name") for located in walk(definition)]
    if old == new or not new or names.count(old) > 1 or "'" in old or "'" in new:
        return draft
    draft["steps"] = _rename(draft["steps"], {old: new})
    return draft


_NAMED = re.compile(r"""steps\[(?:'([^']*)'|"([^"]*)")\]""")
_DOTTED = re.compile(r"(?<![\w.])steps\.([A-Za-z_]\w*)")
_MARKED = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_WHOLLY = "expression"
"""The field that is a template without marks."""


def _rename(value: Any, names: Mapping[str, str], key: str = "") -> Any:
    """A value in which steps are called by their new names: each of the old ones at once.

    One after the other, a new name that is an old one, too, would lead to another step.
    """
    if isinstance(value, list):
        return [_rename(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _rename(item, names, key) for key, item in value.items()}
    if not isinstance(value, str) or "steps" not in value:
        return value

    def rename(found: re.Match[str]) -> str:
        old = next(name for name in found.groups() if name is not None)
        new = names.get(old, old)
        return found[0] if new == old or "'" in new else f"steps['{new}']"

    value = _NAMED.sub(rename, value)
    if key == _WHOLLY:
        return _DOTTED.sub(rename, value)
    return _MARKED.sub(lambda part: _DOTTED.sub(rename, part[0]), value)


def _arrange(steps: Any, taken_ids: set[str], depth: int) -> Any:
    if not isinstance(steps, list) or depth > _MAX_DEPTH:
        return steps if steps is not None else []
    places = enumerate(steps)
    arranged = sorted(places, key=lambda pair: _order(pair[1], pair[0]))
    return [_with_id(step, taken_ids, depth) for _, step in arranged]


def _new_id(kind: Any) -> str:
    """An id that no step has had, and that people can read where Airflow shows no name.

    Its type, since a step keeps its id when it is renamed.
    """
    word = kind if isinstance(kind, str) and kind in STEP_TYPES else "step"
    return f"{word}_{tail()}"


def _order(step: Any, place: int) -> float:
    order = step.get("order") if isinstance(step, dict) else None
    is_number = isinstance(order, int) and not isinstance(order, bool)
    return order if is_number and order is not None else place


def _with_id(step: Any, taken_ids: set[str], depth: int) -> Any:
    if not isinstance(step, dict):
        return step
    step_id = step.get("id")
    if not (isinstance(step_id, str) and _ID.fullmatch(step_id)) or step_id in taken_ids:
        step_id = _new_id(step.get("type"))
    taken_ids.add(step_id)
    laid_out = {"id": step_id, **{k: v for k, v in step.items() if k not in ("id", "order")}}
    kind = laid_out.get("type")
    is_known = isinstance(kind, str) and kind in STEP_TYPES
    for place, name in step_ids.places_inside(str(kind)) if is_known else _OF_ANY_STEP:
        holder = laid_out if place is None else laid_out.get(place)
        if isinstance(holder, dict) and isinstance(holder.get(name), list):
            holder[name] = _arrange(holder[name], taken_ids, depth + 1)
    return laid_out


def _walk(
    steps: list[Any], owner: str, name: str, path: str, parents: tuple[str, ...]
) -> Iterator[LocatedStep]:
    for index, step in enumerate(steps):
        if not isinstance(step, dict):
            continue
        step_path = f"{path}.{index}"
        yield LocatedStep(step, Position(owner, name, index), step_path, parents, len(steps))
        if len(parents) >= _MAX_DEPTH:
            continue
        own = str(step.get("id"))
        for inner, nested in step_lists(step):
            where = f"{step_path}.{inner}" if inner == "onError" else f"{step_path}.config.{inner}"
            yield from _walk(nested, own, inner, where, (*parents, own))


def _put(definition: Draft, steps: Sequence[Draft], position: Position) -> Draft:
    draft = copy.deepcopy(definition)
    target = _target(draft, position)
    if position.index > len(target):
        raise NotFound(f"There is no place {position} in this draft.")
    target[position.index : position.index] = steps
    return draft


def _target(definition: Mapping[str, Any], position: Position) -> list[Any]:
    """The list of a place, made where it is not there yet."""
    if not position.owner:
        if position.name != TOP or not isinstance(definition.get("steps"), list):
            raise NotFound(f"There is no place {position} in this draft.")
        steps: list[Any] = definition["steps"]
        return steps
    owner = find(definition, position.owner).step
    if position.name not in [name for name, _ in step_lists(owner)]:
        raise NotFound(f"There is no place {position} in this draft.")
    if position.name == "onError":
        nested: list[Any] = owner["onError"]
        return nested
    if not isinstance(owner.get("config"), dict):
        owner["config"] = {}
    siblings: list[Any] = owner["config"].setdefault(position.name, [])
    return siblings


def _names(definition: Mapping[str, Any]) -> set[str]:
    return {str(located.step.get("name")) for located in walk(definition)}


def _free(taken: Collection[str], base: str, reached: dict[str, int] | None = None) -> str:
    """A name that no other step has.

    Args:
        reached: by base, up to which number all are taken; without it, all are looked at.
    """
    number = reached.get(base, 1) if reached is not None else 1
    name = base if number == 1 else f"{base} {number}"
    while name in taken:
        number += 1
        name = f"{base} {number}"
    if reached is not None:
        reached[base] = number
    return name


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
