"""The rules for unsaved changes that automations and forms share.

When typing on is one change with the letters before, and which of two windows is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from automations.errors import Conflict
from automations.kit.values import Errors

_UNDO_WINDOW = timedelta(seconds=8)
"""Changes of the same within this time are taken back together."""


def is_typing_on(typed_into: str, before: str, changed_at: datetime, now: datetime) -> bool:
    """Whether a change is one more letter of the last one.

    Args:
        typed_into: names the input that was typed into.
        before: the same of the last change.
    """
    return typed_into == before and now - changed_at < _UNDO_WINDOW


@dataclass(frozen=True, slots=True, kw_only=True)
class EditState:
    """How somebody's unsaved changes stand.

    Args:
        base_version: the version that was changed.
        version: the newest one by now.
        by: who has made the newest one.
        number: changes with every change, so that two windows do not undo each other's work.
        errors: what keeps it from being saved, by the path of the field.
    """

    base_version: int
    version: int
    by: str | None
    number: int
    may_undo: bool
    may_redo: bool
    is_changed: bool
    errors: Errors

    @property
    def is_outdated(self) -> bool:
        """Whether somebody has saved another version since it was begun."""
        return self.version != self.base_version


class UnsavedEdit(Protocol):
    """Somebody's unsaved changes."""

    @property
    def changes(self) -> int:
        """Goes up with each change; a page sends back the number that it was made with."""


def check_number(edit: UnsavedEdit | None, number: int) -> None:
    """Refuse a change of what has become something else since it was seen.

    Args:
        edit: None where nothing of it is kept.
        number: of the state that was seen.
    """
    if edit is None:
        if number != 0:
            raise Conflict("What you were changing was saved or discarded in another window.")
    elif edit.changes != number:
        raise edit_conflict()


def edit_conflict() -> Conflict:
    """Somebody's other window was first."""
    return Conflict(
        "This was changed in another window meanwhile. Your last change is not kept: "
        "load the page anew to go on with what there is."
    )
