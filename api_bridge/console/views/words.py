"""Words and marks for statuses, types and values."""

from __future__ import annotations

from typing import get_args

from jinja2.filters import do_filesizeformat

from api_bridge.console import texts
from automations.definitions.triggers import RESERVED_TYPES
from automations.kit.comparison import Operator

_ICONS = {
    "ai": "sparkles",
    "airflow_operator": "flow",
    "approval": "check",
    "code": "code",
    "condition": "branch",
    "create_matter": "board",
    "delay": "clock",
    "email": "mail",
    "evidence_snapshot": "shield",
    "generate_document": "document",
    "http_request": "globe",
    "loop": "loop",
    "notification": "bell",
    "run_workflow": "flow",
    "send_document": "send",
    "send_form": "form",
    "slack": "chat",
    "table_operations": "table",
}
EVENT_TYPES: tuple[str, ...] = tuple(sorted(RESERVED_TYPES))
OPERATORS: tuple[str, ...] = get_args(Operator)
_MAX_ABBREVIATION = 4
_MAX_VALUE_LENGTH = 60
"""Characters of a value in a grid: the row's own page has all of them."""


def status(value: str) -> str:
    """A status in a word."""
    return texts.text(f"status.{value}")


def trigger(trigger_type: str) -> str:
    """A trigger's type in a word."""
    return texts.text(f"trigger_type.{trigger_type}")


def origin(trigger_type: str) -> str:
    """What starts runs, in a few words."""
    return texts.text(f"origin.{trigger_type}")


def period(name: str) -> str:
    """How far a list goes back."""
    return texts.text(f"period.{name}")


def size(count: int) -> str:
    """How large a file is, in the unit that people read."""
    return do_filesizeformat(count).replace("Byte", "byte")


def file_format(name: str) -> str:
    """A file's format as it is written: PDF, but Markdown."""
    return name.upper() if len(name) <= _MAX_ABBREVIATION else name.capitalize()


def severity(name: str) -> str:
    """How much a security event should worry one."""
    return texts.text(f"severity.{name}")


def source(name: str) -> str:
    """What evidence is taken of."""
    return texts.text(f"source.{name}")


def operator(name: str) -> str:
    """How two values are compared; what is no way of that as it is written."""
    return texts.text(f"operator.{name}") if name in OPERATORS else name


def event(name: str) -> str:
    """A type of events in words, where the product tells of it; else as its sender has named it."""
    return texts.text(f"event_type.{name}") if name in EVENT_TYPES else name


def option(field: str, value: str) -> str:
    """One of the values that a field may have, in words.

    Args:
        field: by its key; the same value may be another word elsewhere.
    """
    return texts.first((f"option.{field}.{value}", f"option.{value}")) or value


def icon(step_type: str) -> str:
    """The picture of a step's type."""
    return _ICONS.get(step_type, "step")


def short(text: str) -> str:
    """A text on one line, cut where it would be too long beside others."""
    flat = " ".join(text[: _MAX_VALUE_LENGTH * 4].split())
    return flat if len(flat) <= _MAX_VALUE_LENGTH else f"{flat[: _MAX_VALUE_LENGTH - 1]}…"
