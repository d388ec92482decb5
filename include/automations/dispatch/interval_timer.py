"""A timer for work that is done at intervals."""

from __future__ import annotations

import time
from datetime import timedelta


class IntervalTimer:
    """How often something is done, by one thread; the first time at once.

    By no clock that somebody sets: one that was set back would keep it until it is there again.

    Args:
        interval: between the beginnings of two times.
    """

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval.total_seconds()
        self._due_at = 0.0

    def is_due(self) -> bool:
        """Whether it is time; who asks then does it."""
        now = time.monotonic()
        if now < self._due_at:
            return False
        self._due_at = now + self._interval
        return True
