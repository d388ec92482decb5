"""Types of JSON values, and conversions to and from other objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar

JSON = Any
"""A JSON value; the only loosely typed thing, kept at the edges."""


Errors = dict[str, list[str]]

T = TypeVar("T")


def from_attributes(kind: Callable[..., T], source: object) -> T:
    """A dataclass whose fields are what another object has in attributes of the same names."""
    return kind(*_reader(kind)(source))


# Asked for every row of a list: the names are looked up once.
@lru_cache(maxsize=256)
def _reader(kind: Any) -> Callable[[object], tuple[Any, ...]]:
    return attrgetter(*(field.name for field in fields(kind)))
