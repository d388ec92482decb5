"""Says when it is time again for what is done every now and then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Pace:
    """How often something is done, by one thread; the first time at once.

    Args:
        interval: between the beginnings of two times.
    """

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval
        self._began = datetime.min.replace(tzinfo=UTC)

    def is_due(self) -> bool:
        """Whether it is time; who asks then does it."""
        now = datetime.now(UTC)
        if now - self._began < self._interval:
            return False
        self._began = now
        return True
