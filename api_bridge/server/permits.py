"""Permits that are held for a while, limited in total, per workspace and per caller.

So nobody can take all of them, however many keys, sessions or addresses they have.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

Limits = Mapping[str, int]
"""The number of permits by the name of whom they are counted for."""


class Permits:
    """The permits of one kind, in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def has_room(self, limits: Limits) -> bool:
        """Whether all of these limits have room for one more."""
        with self._lock:
            return self._has_room(limits)

    @contextmanager
    def hold(self, limits: Limits) -> Iterator[bool]:
        """Hold one permit of each within the block, if all have room; yields whether they had."""
        with self._lock:
            is_held = self._has_room(limits)
            if is_held:
                self._taken.update(limits.keys())
        try:
            yield is_held
        finally:
            if is_held:
                with self._lock:
                    self._taken.subtract(limits.keys())
                    # Drops the names whose count is zero.
                    self._taken += Counter()

    def _has_room(self, limits: Limits) -> bool:
        return all(self._taken[name] < limit for name, limit in limits.items())
