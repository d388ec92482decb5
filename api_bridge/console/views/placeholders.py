"""Sample data for a document template, made from its names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def sample(names: Iterable[str]) -> dict[str, Any]:
    """An object in which each of the dotted names has its last part as a value."""
    made: dict[str, Any] = {}
    for name in names:
        *around, last = name.split(".")
        inside = made
        for part in around:
            known = inside.get(part)
            if not isinstance(known, dict):
                # It was a value by itself, too: what is inside of it says more.
                known = inside[part] = {}
            inside = known
        inside.setdefault(last, last)
    return made
