"""The lines that loops add to the run's log: the edges of long loops, and failures."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from automations.db.runs.run_steps import LogLine
from automations.definitions.model import Step
from automations.execution.recording import line_of
from automations.steps.outcomes import Branch, Done, Fail, Outcome, Stop

EDGE = 10
"""Iterations that are logged at the beginning of a loop, and at its end: they show whether it does
what it should, while thousands of others would hide the lines that matter."""

MAX_LINES = 1_000
"""For successes and for failures each: nobody reads more, and each line is a row."""


@dataclass(frozen=True, slots=True)
class IterationPath:
    """An iteration: the index of its item, after those of the enclosing loops.

    Args:
        shown: whether its successes are logged.
    """

    indexes: tuple[int, ...] = ()
    shown: bool = True

    def inside(self, index: int, count: int) -> IterationPath:
        """An iteration of a loop that is nested here and has ``count`` iterations."""
        at_edge = index < EDGE or index >= count - EDGE
        return IterationPath((*self.indexes, index), self.shown and at_edge)


class LoopLog:
    """Collects log lines until they are written with the progress that they report; thread-safe.

    Args:
        before: how many lines the loop wrote before it paused, by whether they report failures.
    """

    def __init__(self, before: Mapping[bool, int]) -> None:
        # Guards the two fields below: concurrent iterations add lines, and one of them takes all.
        self._lock = threading.Lock()
        self._lines: list[LogLine] = []
        self._left = {failed: MAX_LINES - before.get(failed, 0) for failed in (True, False)}

    def add(
        self,
        place: IterationPath,
        step: Step,
        outcome: Outcome,
        started_at: datetime,
        *,
        retrying: bool = False,
    ) -> None:
        """Note an attempt, if it has ended; one that waits has not."""
        failed = isinstance(outcome, Fail)
        ended = failed or isinstance(outcome, Done | Branch | Stop)
        if not ended or not (failed or place.shown):
            return
        with self._lock:
            if self._left[failed] <= 0:
                return
            self._left[failed] -= 1
        # Outside of the lock, since serializing a large output takes long.
        line = line_of(step, outcome, started_at, retrying=retrying, iteration=list(place.indexes))
        with self._lock:
            self._lines.append(line)

    def take(self) -> list[LogLine]:
        """Take the lines that were added since the last call."""
        with self._lock:
            taken, self._lines = self._lines, []
        return taken
