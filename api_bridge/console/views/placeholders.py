"""Sample data for a document template, made from its names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def sample(names: Iterable[str]) -> dict[str, Any]:
    """An object in which each of the dotted names has its last part as a value."""
    root: dict[str, Any] = {}
    for name in names:
        *around, last = name.split(".")
        inside = root
        for part in around:
            child = inside.get(part)
            if not isinstance(child, dict):
                # It was a value by itself, too: what is inside of it says more.
                child = inside[part] = {}
            inside = child
        inside.setdefault(last, last)
    return root
