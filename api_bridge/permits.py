"""Permits that are held for a while: of all together, of a workspace and of a caller, each so many.

So nobody takes those of everybody, however many keys, sessions or addresses they have.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

Limits = Mapping[str, int]
"""How many permits there are, by the names of whom they are counted for."""


class Permits:
    """Those of one kind, in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def has_room(self, limits: Limits) -> bool:
        """Whether one more is left of each."""
        with self._lock:
            return self._are_left(limits)

    @contextmanager
    def hold(self, limits: Limits) -> Iterator[bool]:
        """Hold one of each within the block, as long as one is left; gives whether it was."""
        with self._lock:
            is_held = self._are_left(limits)
            if is_held:
                self._taken.update(limits.keys())
        try:
            yield is_held
        finally:
            if is_held:
                with self._lock:
                    self._taken.subtract(limits.keys())
                    # Of who holds nothing, nothing is kept.
                    self._taken += Counter()

    def _are_left(self, limits: Limits) -> bool:
        return all(self._taken[name] < most for name, most in limits.items())
