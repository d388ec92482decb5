"""Reads values that another version of this code has stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def known_fields(kind: type[DataclassInstance], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Of what was stored, what a dataclass has a field for.

    What runs and waits outlives upgrades, and the way back from them: what is not known any more,
    or not yet, is left out, and what was not known then is as by default.
    """
    return {field.name: stored[field.name] for field in fields(kind) if field.name in stored}
