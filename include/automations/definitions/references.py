"""References to other automations: by id, and in files by key, which is valid elsewhere."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from automations.definitions import step_ids
from automations.errors import ValidationFailed
from automations.steps.registry import STEP_TYPES

_Place = tuple[str, dict[str, Any], str]
"""Where a reference may be: the path to it, what holds it, and its name without Id or Key."""


def any_in(definition: Mapping[str, Any]) -> bool:
    """Whether a definition refers to an automation at all."""
    return any(holder.get(f"{name}Id") for _, holder, name in _places(dict(definition)))


def by_key(definition: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """A definition that refers by key to those that have one.

    Args:
        keys: of automations by their ids.
    """
    written = copy.deepcopy(dict(definition))
    for _, holder, name in list(_places(written)):
        key = keys.get(str(holder.get(f"{name}Id")))
        if key is not None:
            _replace(holder, f"{name}Id", f"{name}Key", key)
    return written


def by_id(written: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """A definition from a file, not checked yet, with ids in the place of keys.

    Args:
        ids: of automations by their keys.

    Raises:
        ValidationFailed: names the references that lead nowhere.
    """
    definition = copy.deepcopy(dict(written))
    errors: dict[str, list[str]] = {}
    for path, holder, name in list(_places(definition)):
        if f"{name}Key" not in holder:
            continue
        key = holder[f"{name}Key"]
        problem = None
        if f"{name}Id" in holder:
            problem = f"give {name}Id or {name}Key, not both"
        elif not isinstance(key, str):
            problem = "must be a key"
        elif key not in ids:
            problem = f"there is no automation with the key '{key}'"
        if problem is not None:
            errors[f"{path}{name}Key"] = [problem]
        else:
            _replace(holder, f"{name}Key", f"{name}Id", ids[key])
    if errors:
        raise ValidationFailed(errors)
    return definition


def as_written(errors: Mapping[str, list[str]], written: Any) -> dict[str, list[str]]:
    """Errors by the fields that a file has, where it refers by key."""
    if not isinstance(written, dict):
        return dict(errors)
    fields = {
        f"{path}{name}Id": f"{path}{name}Key"
        for path, holder, name in _places(written)
        if f"{name}Key" in holder
    }
    return {fields.get(path, path): texts for path, texts in errors.items()}


def _places(definition: dict[str, Any]) -> Iterator[_Place]:
    yield "", definition, "errorWorkflow"
    yield from _of_steps(definition.get("steps"), "steps")


def _of_steps(steps: Any, path: str) -> Iterator[_Place]:
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        kind = step.get("type") if isinstance(step, dict) else None
        if not isinstance(kind, str) or kind not in STEP_TYPES:
            continue
        step_path = f"{path}.{index}"
        if kind == "run_workflow" and isinstance(step.get("config"), dict):
            yield f"{step_path}.config.", step["config"], "workflow"
        for place, name in step_ids.places_inside(kind):
            own = step if place is None else step.get(place)
            if isinstance(own, dict):
                field = name if place is None else f"{place}.{name}"
                yield from _of_steps(own.get(name), f"{step_path}.{field}")


def _replace(holder: dict[str, Any], old: str, new: str, value: str) -> None:
    items = [(new, value) if name == old else (name, present) for name, present in holder.items()]
    holder.clear()
    holder.update(items)
