"""Tells the host's scheduler which tasks were overtaken, and waits for it to show them so.

A row carries it, so that it is taken once, by whichever scheduler is there. Nothing depends on it:
a task that begins although it was overtaken is answered what was recorded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from automations.db import handovers
from automations.db.session import reading, unit_of_work

_BATCH = 10
"""Who waits for the first of them waits for all."""
_FIRST_LOOK = 0.002
"""Seconds; most are taken after a few milliseconds."""
_LAST_LOOK = 0.02
"""Seconds between two looks at one that takes long."""

Mark = Callable[[dict[str, Any]], bool]
"""Shows what a handover says; False when that cannot be done now."""


def hand_over(run_id: str, marks: dict[str, Any], patience: timedelta) -> bool:
    """Hand over what was overtaken; whether it was taken in time.

    Args:
        marks: for the host's scheduler, in its own words.
    """
    with unit_of_work() as session:
        handover = handovers.add(session, run_id, marks)
    until, pause = time.monotonic() + patience.total_seconds(), _FIRST_LOOK
    while time.monotonic() < until:
        time.sleep(pause)
        pause = min(2 * pause, _LAST_LOOK)
        with reading() as session:
            if not handovers.is_there(session, handover):
                return True
    return False


def listening() -> AbstractContextManager[Callable[[float], None]]:
    """Gives a function that waits for further handovers, at most for some seconds."""
    return handovers.listening()


def take(mark: Mark) -> bool:
    """Take what was handed over; whether there may be more."""
    with unit_of_work() as session:
        found = handovers.claim(session, _BATCH)
        taken = [one.id for one in found if mark(one.marks)]
        if taken:
            handovers.remove(session, taken)
    return len(taken) < len(found) or len(found) == _BATCH
