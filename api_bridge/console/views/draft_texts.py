"""A draft as text: YAML of the whole, JSON of its sample data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from api_bridge.console import texts
from api_bridge.console.views.typed_values import object_of
from automations.definitions import checking, editing, files
from automations.definitions.editing import Draft
from automations.definitions.model import MAX_STEPS
from automations.definitions.triggers import TRIGGER_TYPES
from automations.errors import ValidationFailed
from automations.kit.line_breaks import normalise_breaks
from automations.kit.storable import showable
from automations.kit.values import JSON
from automations.steps.registry import STEP_TYPES

_FOUND = ("input", "trigger", "submission", "variables", "steps", "loop")
"""What templates find of a sample."""
ANSWERS = "answers"
"""How a sample has pauses passed in a trial, by the steps' ids or names."""
_OF_SAMPLES = (*_FOUND, ANSWERS)
_APART = ("formId", "status", "id")
"""What a file may say beside what an edit is of."""


def kind_of(trigger: Any) -> str:
    """A trigger's type."""
    kind = trigger.get("type") if isinstance(trigger, Mapping) else None
    return kind if isinstance(kind, str) and kind in TRIGGER_TYPES else "manual"


def yaml(definition: Draft) -> str:
    """A draft as a file of definitions has it."""
    shown = {
        name: value
        for name, value in definition.items()
        if name not in _APART and value not in (None, "", {})
    }
    trigger = shown.get("trigger")
    if isinstance(trigger, Mapping):
        config = {name: value for name, value in trigger.items() if name != "type"}
        named = {"type": kind_of(trigger)}
        shown["trigger"] = {**named, "config": config} if config else named
    return files.write([showable(shown)], "yaml")


def read_yaml(definition: Draft, written: str) -> Draft:
    """A draft that says what a file says; the same one when that is what it says.

    Raises:
        ValidationFailed: it is no YAML, or not of one automation.
    """
    written = normalise_breaks(written)
    if written == yaml(definition):
        return definition
    definitions = files.read(written)
    if len(definitions) != 1 or not isinstance(definitions[0], dict):
        raise ValidationFailed({"body": ["must be one automation"]})
    draft = {name: value for name, value in definitions[0].items() if name not in _APART}
    trigger = draft.get("trigger")
    if isinstance(trigger, dict) and isinstance(trigger.get("config"), dict):
        config = trigger["config"]
        draft["trigger"] = {**{k: v for k, v in trigger.items() if k != "config"}, **config}
    if draft.get("trigger") is None:
        draft["trigger"] = {"type": "manual"}
    if not isinstance(draft["trigger"], dict):
        raise ValidationFailed({"body": ["trigger: must be an object"]})
    return draft


def step_yaml(step: Mapping[str, Any]) -> str:
    """A step as text, to be taken elsewhere."""
    return files.write([showable(dict(step))], "yaml")


def read_steps(written: str) -> list[Draft]:
    """Steps that were taken from elsewhere: one, several, or those of an automation.

    Raises:
        ValidationFailed: it is none.
    """
    steps: list[Any] = files.read(normalise_breaks(written)) if written.strip() else []
    whole = steps[0] if len(steps) == 1 and isinstance(steps[0], dict) else {}
    if isinstance(whole.get("steps"), list):
        steps = whole["steps"]
    if not steps or not all(map(_is_step, steps)):
        raise ValidationFailed({"body": [texts.text("builder.no_steps")]})
    count = sum(1 for _ in editing.walk(editing.lay_out({"steps": steps})))
    if count > MAX_STEPS:
        raise ValidationFailed({"body": [checking.too_many_steps(count)]})
    return steps


def _is_step(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("type")) in STEP_TYPES


def sample(stored: Mapping[str, JSON]) -> dict[str, Any]:
    """Data to try templates with, as far as it is of the right form."""
    return {
        name: value for name, value in stored.items() if name in _FOUND and isinstance(value, dict)
    }


def sample_text(stored: Mapping[str, JSON]) -> str:
    """Such data as JSON."""
    return json.dumps(showable(dict(stored)), ensure_ascii=False, indent=2)


def read_sample(written: str) -> dict[str, JSON]:
    """Such data as it was written; none when nothing was.

    Raises:
        ValidationFailed: it is not of that form.
    """
    sample_data = object_of(written, "sample")
    for name, value in sample_data.items():
        if name not in _OF_SAMPLES:
            names = ", ".join(_OF_SAMPLES)
            raise ValidationFailed({"sample": [f"'{name}' is none of {names}"]})
        if not isinstance(value, dict):
            raise ValidationFailed({"sample": [f"{name} must be an object"]})
    return sample_data
