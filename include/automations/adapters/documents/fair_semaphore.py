"""A semaphore of threads of which nobody may hold all places."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class FairSemaphore:
    """The places of this process. Whoever waits blocks nobody who has places left.

    Args:
        limit: of all places together.
        per_key: of each key, so that nobody's many documents keep everybody else's from being made.
    """

    def __init__(self, limit: int, *, per_key: int) -> None:
        self._limit = limit
        self._per_key = per_key
        self._held: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, key: str, deadline: float) -> Iterator[bool]:
        """Hold a place within the block; gives False when none became free in time.

        Args:
            deadline: by the monotonic clock.
        """
        with self._changed:
            acquired = self._changed.wait_for(
                lambda: self._is_free(key), max(0.0, deadline - time.monotonic())
            )
            if acquired:
                self._held[key] += 1
        try:
            yield acquired
        finally:
            if acquired:
                with self._changed:
                    self._held[key] -= 1
                    # Of who holds nothing, nothing is kept.
                    self._held += Counter()
                    self._changed.notify_all()

    def _is_free(self, key: str) -> bool:
        return self._held.total() < self._limit and self._held[key] < self._per_key
