"""What a definition uses of its workspace: secrets that it names, types of its steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from automations.domain.fields import SECRET_NAME
from automations.domain.secret_templates import secrets_named
from automations.domain.template_language.faults import InvalidTemplate

_BY_NAME = "secret"
"""The field that may name a secret without braces."""


def secrets_of(value: Any) -> set[str]:
    """The secrets that a definition, or a part of it, names; what is no template names none."""
    return set(_secrets(value, ""))


def step_types_of(value: Any) -> set[str]:
    """The types of all steps of a definition, nested ones too."""
    return set(_step_types(value))


def texts_of(value: Any) -> set[str]:
    """All texts of a definition, among them the ids of what it names."""
    if isinstance(value, dict):
        return set().union(*map(texts_of, value.values()))
    if isinstance(value, list):
        return set().union(*map(texts_of, value))
    return {value} if isinstance(value, str) else set()


def _secrets(value: Any, field: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _secrets(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item, "")
    elif isinstance(value, str):
        if field == _BY_NAME and SECRET_NAME.fullmatch(value):
            yield value
        elif "{{" in value or "{%" in value:
            try:
                yield from secrets_named(value)
            except (InvalidTemplate, ValueError):
                return


def _step_types(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("type"), str) and "config" in value:
            yield value["type"]
        for item in value.values():
            yield from _step_types(item)
    elif isinstance(value, list):
        for item in value:
            yield from _step_types(item)
