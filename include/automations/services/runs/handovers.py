"""Tells the host's scheduler which tasks were done ahead, and waits for it to mark them.

Each message is a row, so that exactly one scheduler takes it. Nothing depends on it: a task that
begins although it was done ahead gets the recorded verdict.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from automations.db.runs import handovers
from automations.db.session import reading, unit_of_work

_BATCH_SIZE = 10
"""Whoever waits for the first of a batch waits for all of it."""
_MIN_POLL_INTERVAL = 0.002
"""Seconds; most handovers are taken within a few milliseconds."""
_MAX_POLL_INTERVAL = 0.1
"""Seconds between two polls for one that takes long, since each costs 3 ms of CPU time."""

_MIN_RETRY_DELAY, _MAX_RETRY_DELAY = 1.0, 60.0
"""Seconds: each try may have to wait for locks on its rows."""

Mark = Callable[[dict[str, Any]], bool]
"""Marks the tasks of a handover; False if that cannot be done now."""


def hand_over(run_id: str, marks: dict[str, Any], timeout: timedelta) -> bool:
    """Hand over what was done ahead; returns whether it was taken in time.

    Args:
        marks: what to mark, in the terms of the host's scheduler.
    """
    with unit_of_work() as session:
        handover = handovers.add(session, run_id, marks)
    until, pause = time.monotonic() + timeout.total_seconds(), _MIN_POLL_INTERVAL
    while time.monotonic() < until:
        time.sleep(pause)
        pause = min(2 * pause, _MAX_POLL_INTERVAL)
        with reading() as session:
            if not handovers.is_there(session, handover):
                return True
    return False


def listening() -> AbstractContextManager[Callable[[float], object]]:
    """Yields a function that waits for further handovers, at most for some seconds."""
    return handovers.listening()


class HandoverConsumer:
    """Takes handovers, oldest first.

    One that cannot be marked now is tried again at once, and then after growing delays, so that
    those behind it do not wait for it.
    """

    def __init__(self, mark: Mark, clock: Callable[[], float] = time.monotonic) -> None:
        self._mark = mark
        self._clock = clock
        self._aside: dict[int, tuple[float, float]] = {}
        """Handovers that could not be marked: when each is tried again, and its current delay."""

    def take(self) -> bool:
        """Take some; returns whether there may be more to do now."""
        now = self._clock()
        later = [handover_id for handover_id, (at, _) in self._aside.items() if at > now]
        with unit_of_work() as session:
            claimed = handovers.claim(session, _BATCH_SIZE, later)
            taken = [handover.id for handover in claimed if self._mark(handover.marks)]
            if taken:
                handovers.remove(session, taken)
        delayed = {
            handover.id: self._put_off(handover.id)
            for handover in claimed
            if handover.id not in taken
        }
        full = len(claimed) == _BATCH_SIZE
        # Those that are due but not found were taken by others; or, if full, did not fit.
        left = self._aside if full else dict.fromkeys(later)
        waiting = {
            handover_id: self._aside[handover_id]
            for handover_id in left
            if handover_id not in taken
        }
        self._aside = waiting | delayed
        return full or any(pause == 0 for _, pause in delayed.values())

    def _put_off(self, handover_id: int) -> tuple[float, float]:
        if handover_id not in self._aside:
            return self._clock(), 0.0
        pause = min(max(2 * self._aside[handover_id][1], _MIN_RETRY_DELAY), _MAX_RETRY_DELAY)
        return self._clock() + pause, pause
