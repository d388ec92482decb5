"""Paths to values in records: keys and indexes, separated by dots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from automations.kit.values import JSON

WHOLE = "$"
"""The path of a record itself."""

Path = Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)*$", max_length=500)]
"""Where a value is, such as ``dependency.package.name``."""

NOTHING: Final = object()
"""Stands for what a record does not have."""


def value_at(value: JSON, path: str) -> Any:
    """What is at a path; ``NOTHING`` when nothing is, not even null."""
    if path == WHOLE:
        return value
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return NOTHING
    return value


def paths_of(record: Mapping[str, JSON], prefix: str = "") -> Iterator[tuple[str, JSON]]:
    """The paths in a record that have a value which is no object, with it."""
    for key, value in record.items():
        if not key or "." in key:
            continue
        if isinstance(value, Mapping) and value:
            yield from paths_of(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
