"""Keeps the ids of steps over changes, since runs, logs and outputs refer to them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from automations.definitions.model import walk
from automations.steps.registry import STEP_TYPES


def fill_ids(written: list[Any], steps: list[Any]) -> list[Any]:
    """The steps as they were written, with the ids and orders that some were given."""
    complete = copy.deepcopy(written)
    for path, step in walk(steps, ""):
        place = _list_at(complete, path)
        place["id"] = step.id
        if place.get("order") is None:
            place["order"] = step.order
    return complete


def strip_ids(shown: list[Any], steps: list[Any], written: list[Any]) -> list[Any]:
    """The steps as they are shown, without the ids that nobody has written."""
    without = copy.deepcopy(shown)
    for path, _ in walk(steps, ""):
        if "id" not in _list_at(written, path):
            _list_at(without, path).pop("id", None)
    return without


def keep_ids(before: list[Any], after: list[Any]) -> list[Any]:
    """The steps after a change: one without an id keeps that of the step of its name and type.

    Args:
        before: stored, so every step that can be read has an id.
        after: as a client has written it, and not checked yet.
    """
    taken = {step["id"] for step in after if isinstance(step, dict) and _is_text(step.get("id"))}
    free: dict[tuple[str, str], list[str]] = {}
    by_id = {step["id"]: step for step in before if _is_step(step)}
    for step_id, step in by_id.items():
        if step_id not in taken:
            free.setdefault((step["name"], step["type"]), []).append(step_id)
    return [_with_inner_ids(_with_id(step, free), by_id) for step in after]


def _with_id(step: Any, free: dict[tuple[str, str], list[str]]) -> Any:
    if not isinstance(step, dict) or "id" in step:
        return step
    name, kind = step.get("name"), step.get("type")
    if not (_is_text(name) and _is_text(kind)) or not free.get((str(name), str(kind))):
        return step
    return {"id": free[str(name), str(kind)].pop(0), **step}


def _with_inner_ids(step: Any, by_id: dict[str, Any]) -> Any:
    """The same for the steps inside of a step that was there before."""
    if not isinstance(step, dict) or not _is_text(step.get("id")):
        return step
    previous = by_id.get(step["id"])
    if previous is None or previous["type"] != step.get("type"):
        return step
    changed = copy.copy(step)
    for place, name in places_inside(previous["type"]):
        own = changed if place is None else changed.get(place)
        old = previous if place is None else previous.get(place)
        if isinstance(own, dict) and isinstance(own.get(name), list):
            inside = old.get(name) if isinstance(old, dict) else None
            inner = keep_ids(inside if isinstance(inside, list) else [], own[name])
            if place is None:
                changed[name] = inner
            else:
                changed[place] = {**own, name: inner}
    return changed


def _list_at(steps: list[Any], path: str) -> Any:
    """The step at a path that ``walk`` gives, from no name on."""
    place: Any = steps
    for part in path.strip(".").split("."):
        place = place[int(part)] if isinstance(place, list) else place[part]
    return place


def places_inside(kind: str) -> Iterator[tuple[str | None, str]]:
    """Where steps may lie inside of one: below a field, or in the step itself."""
    step_type = STEP_TYPES[kind]
    for name in (*step_type.arms, *step_type.body):
        yield "config", name
    yield None, "onError"


def _is_step(stored: object) -> bool:
    """Whether this release can tell what a stored step is."""
    return (
        isinstance(stored, dict)
        and all(_is_text(stored.get(name)) for name in ("id", "name", "type"))
        and stored["type"] in STEP_TYPES
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)
