"""What the run's log says of the steps in a node's loops: the edges of long loops, and failures."""

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
"""So many iterations at the beginning of a loop are logged, and as many at its end: they show
whether it does what it should, and thousands of others would hide the lines that tell more."""

MAX_LINES = 1_000
"""Of each kind, of what went well and of what failed: nobody reads more, and each is a row."""


@dataclass(frozen=True, slots=True)
class IterationPath:
    """An iteration: the index of its item, after those of the loops around it.

    Args:
        shown: whether what goes well here is logged.
    """

    indexes: tuple[int, ...] = ()
    shown: bool = True

    def inside(self, index: int, count: int) -> IterationPath:
        """An iteration of a loop that stands here and has so many."""
        at_edge = index < EDGE or index >= count - EDGE
        return IterationPath((*self.indexes, index), self.shown and at_edge)


class LoopLog:
    """Lines that are to be written together with what they tell of; used by several threads.

    Args:
        before: how many lines the loop has written before it has paused, by whether they tell of
            failures.
    """

    def __init__(self, before: Mapping[bool, int]) -> None:
        # Guards the two below: the items that are worked on at once add lines, one of them takes.
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
        """Note an attempt that has ended; one that waits has not."""
        failed = isinstance(outcome, Fail)
        ended = failed or isinstance(outcome, Done | Branch | Stop)
        if not ended or not (failed or place.shown):
            return
        with self._lock:
            if self._left[failed] <= 0:
                return
            self._left[failed] -= 1
        # Between the locks: a large output takes long to be written as JSON.
        line = line_of(step, outcome, started_at, retrying=retrying, iteration=list(place.indexes))
        with self._lock:
            self._lines.append(line)

    def take(self) -> list[LogLine]:
        """The lines that were not taken yet."""
        with self._lock:
            taken, self._lines = self._lines, []
        return taken
