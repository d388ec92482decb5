"""How many runs Airflow is given at once: with thousands of them its scheduler slows down.

Every dispatcher counts what Airflow has and what it has in hand itself. What others have in hand
meanwhile it does not see, so that each of them may add a few runs more.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from automations.db import in_airflow
from automations.db.session import Session, reading


class Permits:
    """What one worker holds of the room that there is: a permit for each run that it may start."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._held = 0

    def take(self, session: Session, most: int) -> int:
        """Hold as many as there are, up to ``most``; returns how many, none when none is needed."""
        self._held = self._capacity._take(session, most)
        return self._held

    def keep(self, needed: int) -> None:
        """Hold no more than are needed."""
        self._capacity._give(self._held - needed)
        self._held = needed


class Capacity:
    """The room for runs in Airflow, as one process sees it; safe to be used by several threads.

    Args:
        limit: of the runs that Airflow works on.
        kinds: of the jobs that need room; without one that is due nothing is counted.
    """

    def __init__(self, limit: int, kinds: Collection[str]) -> None:
        self._limit = limit
        self._kinds = kinds
        self._lock = threading.Lock()
        self._in_hand = 0
        self._full = False

    @property
    def is_full(self) -> bool:
        """Whether there was no room for a job that was due, when it was last looked for."""
        return self._full

    @contextmanager
    def permits(self) -> Iterator[Permits]:
        """Permits of a worker, none at first, which it holds until the end of the block."""
        held = Permits(self)
        try:
            yield held
        finally:
            held.keep(0)

    def has_room(self) -> bool:
        """Look whether there is room again."""
        with reading() as session:
            self._full = in_airflow.count(session) + self._in_hand >= self._limit
        return not self._full

    def _take(self, session: Session, most: int) -> int:
        # What comes to Airflow meanwhile is counted twice rather than not at all.
        before = self._in_hand
        there = in_airflow.count_for_due(session, self._kinds)
        # Two workers may have counted the same room; what is taken of it, one after the other.
        with self._lock:
            if there is None:
                self._full = False
                return 0
            free = self._limit - there - max(before, self._in_hand)
            taken = max(0, min(free, most))
            self._in_hand += taken
            self._full = taken == 0
        return taken

    def _give(self, number: int) -> None:
        with self._lock:
            self._in_hand -= number
