"""Who makes documents now: of all together so many, and of one workspace no more than some."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Those of this process. Who must wait keeps nobody waiting who has turns left.

    Args:
        at_once: of all.
        of_one: of each, so that nobody's many keep everybody else's from being made.
    """

    def __init__(self, at_once: int, *, of_one: int) -> None:
        self._at_once = at_once
        self._of_one = of_one
        self._taken: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def one(self, whose: str, until: float) -> Iterator[bool]:
        """Hold a turn within the block; gives False when none came in time.

        Args:
            until: by the monotonic clock.
        """
        with self._changed:
            came = self._changed.wait_for(
                lambda: self._is_left(whose), max(0.0, until - time.monotonic())
            )
            if came:
                self._taken[whose] += 1
        try:
            yield came
        finally:
            if came:
                with self._changed:
                    self._taken[whose] -= 1
                    # Of who holds nothing, nothing is kept.
                    self._taken += Counter()
                    self._changed.notify_all()

    def _is_left(self, whose: str) -> bool:
        return self._taken.total() < self._at_once and self._taken[whose] < self._of_one
