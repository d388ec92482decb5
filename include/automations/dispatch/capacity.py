"""Limits how many runs Airflow has at once, since thousands of them slow its scheduler down.

An automation may take three times of what it leaves: alone it has three quarters of the room, two
have three sevenths each, and there is room at once for a run of one that has none there.

Every dispatcher counts what Airflow has and what it has in flight itself. What others have in
flight meanwhile it does not see, so that each of them may add a few runs more.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from automations.db.queue.lanes import Room
from automations.db.runs import in_airflow
from automations.db.session import Session, reading

_TIMES_WHAT_IS_LEFT = 3


class Grant(NamedTuple):
    """How many runs may be started, and how many of these by each automation."""

    permits: int
    room: Room


class Permits:
    """The permits of one worker: one for each run that it is about to start."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._held: Counter[str] = Counter()

    def look(self, session: Session, limit: int) -> Grant:
        """How many there are, up to ``most``; none if no job needs one."""
        return self._capacity._look(session, limit)

    def hold(self, lanes: Iterable[str]) -> None:
        """Hold one for each run of these automations, until the block ends."""
        self._held = Counter(lanes)
        self._capacity._hold(self._held)


class Capacity:
    """The room for runs in Airflow, as one process sees it; thread-safe.

    Args:
        limit: how many active runs Airflow may have.
        kinds: the kinds of jobs that need room; runs are counted only while such a job is due.
    """

    def __init__(self, limit: int, kinds: Collection[str]) -> None:
        self._limit = limit
        self._kinds = kinds
        self._lock = threading.Lock()
        self._in_flight: Counter[str] = Counter()
        self._full = False

    @property
    def is_full(self) -> bool:
        """Whether a due job found no room at the last look."""
        return self._full

    @contextmanager
    def permits(self) -> Iterator[Permits]:
        """Permits for a worker, none at first, which are returned when the block ends."""
        permits_held = Permits(self)
        try:
            yield permits_held
        finally:
            self._give(permits_held._held)

    def has_room(self) -> bool:
        """Look whether there is room again."""
        with reading() as session:
            self._full = in_airflow.count(session) + self._in_flight.total() >= self._limit
        return not self._full

    def _look(self, session: Session, limit: int) -> Grant:
        # A run that comes to Airflow meanwhile is counted twice rather than not at all.
        with self._lock:
            in_flight = +self._in_flight
        counted = in_airflow.count_for_due(session, self._kinds)
        if counted is None:
            self._full = False
            return Grant(0, Room())
        in_flight.update(counted)
        free = self._limit - in_flight.total()
        self._full = free <= 0
        room = Room({lane: _share(free, runs) for lane, runs in in_flight.items()}, _share(free, 0))
        return Grant(max(0, min(free, limit)), room)

    def _hold(self, lanes: Counter[str]) -> None:
        with self._lock:
            self._in_flight.update(lanes)
            # Nothing was claimed, so the jobs that are due may not use the room that there is.
            self._full = not lanes

    def _give(self, lanes: Counter[str]) -> None:
        with self._lock:
            self._in_flight -= lanes


def _share(free: int, in_flight: int) -> int:
    """How many more runs an automation may have: together at most three times what is left."""
    surplus = _TIMES_WHAT_IS_LEFT * free - in_flight
    return (surplus - 1) // (_TIMES_WHAT_IS_LEFT + 1) + 1 if surplus > 0 else 0
