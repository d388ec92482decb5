"""The current time by the one clock that all processes share: the database's.

Machines have clocks of their own, which differ and are set. A moment that one process has written
is compared by another one with what is now: were each to take its own, a pause would end hours
early or late. So whoever speaks to the database notes now and then how far the clocks are apart.

On one machine they are the same, and nothing is added to the machine's own.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_STALE_AFTER = 60.0
"""Seconds, after which the database's clock may have been set, or another server has taken over."""
_JUMP_THRESHOLD = 0.05
"""Seconds, by which a clock was set that shows so much more or less than has gone by."""

_apart = timedelta(0)
"""How much later it is by the database's clock."""
_noted: tuple[float, float] | None = None
"""When that was last seen, by a clock that nobody sets and by this machine's."""


def now() -> datetime:
    """What time it is."""
    return datetime.now(UTC) + _apart


def is_stale() -> bool:
    """Whether it was not seen for a while how far the clocks are apart, or this one was set."""
    if _noted is None:
        return True
    passed = time.monotonic() - _noted[0]
    return passed > _STALE_AFTER or abs(time.time() - _noted[1] - passed) > _JUMP_THRESHOLD


class Question:
    """Asks the database for its time; begun right before, as the way there takes time."""

    def __init__(self) -> None:
        self._asked = time.monotonic()

    def record_answer(self, remote: datetime) -> None:
        """Note what the database has said, at some moment since the question."""
        global _apart, _noted
        local, heard = datetime.now(UTC), time.monotonic()
        latest = remote - (local - timedelta(seconds=heard - self._asked))
        earliest = remote - local
        # As long as they may be the same they are; else no further apart than they must be.
        _apart = min(max(timedelta(0), earliest), latest)
        _noted = heard, local.timestamp()
