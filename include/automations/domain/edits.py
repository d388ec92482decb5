"""Rules of unsaved changes that automations and forms share.

When typing on is one change with the letters before, and which of two windows is refused.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from automations.errors import Conflict

_TYPING = timedelta(seconds=8)
"""Changes of the same within this time are taken back together."""


def is_typing_on(what: str, before: str, changed_at: datetime, now: datetime) -> bool:
    """Whether a change is one more letter of the last one.

    Args:
        what: what is typed, in a word.
        before: what the last change was of.
    """
    return what == before and now - changed_at < _TYPING


class Counted(Protocol):
    """Somebody's unsaved changes."""

    @property
    def changes(self) -> int:
        """Goes up with each change; a page sends back the number that it was made with."""


def check_number(edit: Counted | None, number: int) -> None:
    """Refuse a change of what has become something else since it was seen.

    Args:
        edit: None where nothing of it is kept.
        number: of the state that was seen.
    """
    if edit is None:
        if number != 0:
            raise Conflict("What you were changing was saved or discarded in another window.")
    elif edit.changes != number:
        raise changed_elsewhere()


def changed_elsewhere() -> Conflict:
    """Somebody's other window was first."""
    return Conflict(
        "This was changed in another window meanwhile. Your last change is not kept: "
        "load the page anew to go on with what there is."
    )
