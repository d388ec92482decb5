"""Equality of JSON values: 1 equals 1.0, but not true."""

from __future__ import annotations

from collections.abc import Hashable

from automations.kit.values import JSON


def identity(value: JSON) -> Hashable:
    """What is the same for equal values, and can be hashed."""
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, dict):
        return (dict, frozenset((key, identity(item)) for key, item in value.items()))
    if isinstance(value, list):
        return (list, tuple(map(identity, value)))
    return value if isinstance(value, str | int | float) else (None,)
