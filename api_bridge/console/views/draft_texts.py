"""A draft as text: YAML of the whole, JSON of its sample data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from api_bridge.console import texts
from api_bridge.console.views.typed_values import object_of
from automations.definitions import files
from automations.definitions.editing import Draft
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
    found = trigger.get("type") if isinstance(trigger, Mapping) else None
    return found if isinstance(found, str) and found in TRIGGER_TYPES else "manual"


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
    found = files.read(written)
    if len(found) != 1 or not isinstance(found[0], dict):
        raise ValidationFailed({"body": ["must be one automation"]})
    made = {name: value for name, value in found[0].items() if name not in _APART}
    trigger = made.get("trigger")
    if isinstance(trigger, dict) and isinstance(trigger.get("config"), dict):
        config = trigger["config"]
        made["trigger"] = {**{k: v for k, v in trigger.items() if k != "config"}, **config}
    if made.get("trigger") is None:
        made["trigger"] = {"type": "manual"}
    if not isinstance(made["trigger"], dict):
        raise ValidationFailed({"body": ["trigger: must be an object"]})
    return made


def step_yaml(step: Mapping[str, Any]) -> str:
    """A step as text, to be taken elsewhere."""
    return files.write([showable(dict(step))], "yaml")


def read_steps(written: str) -> list[Draft]:
    """Steps that were taken from elsewhere: one, several, or those of an automation.

    Raises:
        ValidationFailed: it is none.
    """
    found: list[Any] = files.read(normalise_breaks(written)) if written.strip() else []
    whole = found[0] if len(found) == 1 and isinstance(found[0], dict) else {}
    if isinstance(whole.get("steps"), list):
        found = whole["steps"]
    if not found or not all(map(_is_step, found)):
        raise ValidationFailed({"body": [texts.text("builder.no_steps")]})
    return found


def _is_step(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("type")) in STEP_TYPES


def sample(kept: Mapping[str, JSON]) -> dict[str, Any]:
    """Data to try templates with, as far as it is of the right form."""
    return {
        name: value for name, value in kept.items() if name in _FOUND and isinstance(value, dict)
    }


def sample_text(kept: Mapping[str, JSON]) -> str:
    """Such data as JSON."""
    return json.dumps(showable(dict(kept)), ensure_ascii=False, indent=2)


def read_sample(written: str) -> dict[str, JSON]:
    """Such data as it was written; none when nothing was.

    Raises:
        ValidationFailed: it is not of that form.
    """
    found = object_of(written, "sample")
    for name, value in found.items():
        if name not in _OF_SAMPLES:
            known = ", ".join(_OF_SAMPLES)
            raise ValidationFailed({"sample": [f"'{name}' is none of {known}"]})
        if not isinstance(value, dict):
            raise ValidationFailed({"sample": [f"{name} must be an object"]})
    return found
