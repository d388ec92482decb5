"""Conflicts: what others have changed since the page of whoever saves second."""

from __future__ import annotations

from api_bridge.console import texts
from api_bridge.console.views import words
from automations.kit.values import Errors


def describe_current(written: str) -> str:
    """What a value is by now, for whoever has typed another one meanwhile."""
    if not written:
        return texts.text("row.now_none")
    return texts.text("row.now", value=words.short(written))


def status(problems: Errors | None) -> int:
    """The status of a form's page: what is wrong with no field of it is a conflict."""
    if not problems:
        return 200
    return 409 if "" in problems else 400
