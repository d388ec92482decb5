"""The differences between two texts, line by line, in linear time.

Python's ``difflib`` takes minutes for a few thousand lines of which many are alike. So lines that
each text has once are matched first, in one pass, and it is asked of what is between them only, as
long as that is little.
"""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

CONTEXT = 3
"""Lines that are the same before and after each difference."""
_MAX_PAIRS, _MAX_PAIRS_OF_ALL = 10_000, 100_000
"""Pairs of equal lines that are looked at in one place, and in all places together."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a comparison; a gap stands for lines that are the same."""

    kind: Literal["same", "added", "removed", "gap"]
    text: str


def differences(old: Sequence[str], new: Sequence[str]) -> list[Line]:
    """The lines that differ, with some around them; none when the texts are the same."""
    diff: list[Line] = []
    groups = [
        (is_same, list(lines))
        for is_same, lines in groupby(_diff_all(old, new), lambda line: line.kind == "same")
    ]
    if all(is_same for is_same, _ in groups):
        return []
    for place, (is_same, lines) in enumerate(groups):
        head = CONTEXT if place > 0 else 0
        tail = CONTEXT if place < len(groups) - 1 else 0
        if not is_same or len(lines) <= head + tail:
            diff += lines
            continue
        diff += [*lines[:head], Line("gap", ""), *lines[len(lines) - tail :]]
    return diff


def _diff_all(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    """All lines of both."""
    left = _MAX_PAIRS_OF_ALL
    i = j = 0
    for a, b in [*_anchors(old, new), (len(old), len(new))]:
        before, after = old[i:a], new[j:b]
        pairs = _pairs(before, after)
        if pairs <= min(left, _MAX_PAIRS):
            left -= pairs
            yield from _diff_block(before, after)
        else:
            yield from (Line("removed", line) for line in before)
            yield from (Line("added", line) for line in after)
        yield from (Line("same", line) for line in old[a : a + 1])
        i, j = a + 1, b + 1


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """The places of lines that both have once: the longest list of them in the order of both."""
    once, once_in_new = (
        {line for line, n in Counter(text).items() if n == 1} for text in (old, new)
    )
    places = {line: place for place, line in enumerate(new) if line in once_in_new}
    unique = [(i, places[line]) for i, line in enumerate(old) if line in once and line in places]
    # Of each length the list that ends earliest; each of its members knows the one before it.
    ends: list[int] = []
    chosen: list[int] = []
    before: list[int | None] = []
    for index, (_, place) in enumerate(unique):
        length = bisect_left(ends, place)
        before.append(chosen[length - 1] if length else None)
        ends[length : length + 1] = [place]
        chosen[length : length + 1] = [index]
    chain: list[tuple[int, int]] = []
    at = chosen[-1] if chosen else None
    while at is not None:
        chain.append(unique[at])
        at = before[at]
    return chain[::-1]


def _pairs(old: Sequence[str], new: Sequence[str]) -> int:
    """How many pairs of equal lines there are: what a comparison of all with all looks at."""
    numbers = Counter(new)
    return sum(number * numbers[line] for line, number in Counter(old).items())


def _diff_block(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if tag == "equal":
            yield from (Line("same", line) for line in old[old_from:old_to])
            continue
        yield from (Line("removed", line) for line in old[old_from:old_to])
        yield from (Line("added", line) for line in new[new_from:new_to])
