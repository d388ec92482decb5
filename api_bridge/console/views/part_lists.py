"""Lists of parts in a form, with buttons that add, move and remove them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from api_bridge.console.form_data import place_named
from automations.errors import ValidationFailed

T = TypeVar("T")


def apply(parts: Sequence[T], what: str, new: T) -> tuple[T, ...]:
    """What a button makes of a list: ``add``, ``up.2``, ``down.2``, ``remove.2``.

    Raises:
        ValidationFailed: there is no such button.
    """
    act, _, rest = what.partition(".")
    left = list(parts)
    place = place_named(rest)
    if act == "add":
        return (*left, new)
    if act not in ("up", "down", "remove") or not 0 <= place < len(left):
        raise ValidationFailed({"do": ["there is no such button"]})
    part = left.pop(place)
    if act != "remove":
        left.insert(max(0, place - 1 if act == "up" else place + 1), part)
    return tuple(left)
