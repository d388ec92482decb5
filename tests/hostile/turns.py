"""All values of a list at all places together: a few at each, and the next ones at the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import TypeVar

V = TypeVar("V")


def turns(values: Mapping[str, V], at_each: int) -> Iterator[list[tuple[str, V]]]:
    """Some of the values with their names, and for the next place those behind them."""
    listed = list(values.items())
    for turn in count():
        yield [listed[(turn * at_each + place) % len(listed)] for place in range(at_each)]
