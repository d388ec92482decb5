"""Claims jobs for the workers of one dispatcher, and knows which of them are in flight."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from automations.db.queue import jobs, lanes
from automations.db.queue.lanes import Turns
from automations.db.session import unit_of_work
from automations.db.tables import Job, JobKind
from automations.dispatch.breaker import Breaker
from automations.dispatch.capacity import Capacity, Permits
from automations.dispatch.jobs.registry import HANDLERS

_BATCH_SIZE = 8
"""Jobs per claim: saves round trips, and still little waits behind a slow job."""
_START_BATCH_SIZE = 32
"""Starts per claim, which Airflow makes in one request: some hundredths of a second each."""
_SHOW_BATCH_SIZE = 100
"""Ended runs per claim: Airflow only gets rows for them, and nobody waits for these."""

SLOW_KINDS = frozenset(kind for kind, handler in HANDLERS.items() if handler.slow)
"""Kinds that workers of their own claim; see ``slow_work``."""
LIMITED_KINDS = frozenset(kind for kind, handler in HANDLERS.items() if handler.limited)
"""Kinds that need room in Airflow; see ``capacity``."""
_AIRFLOW_KINDS = frozenset(kind for kind, handler in HANDLERS.items() if handler.airflow)
_EXPRESS_KINDS = frozenset(kind for kind, handler in HANDLERS.items() if handler.express)
_SHOW_KINDS = frozenset({JobKind.SHOW_RUN})
_LOCAL_KINDS = frozenset(HANDLERS) - SLOW_KINDS - _AIRFLOW_KINDS - _EXPRESS_KINDS
ALL_KINDS = _LOCAL_KINDS | _AIRFLOW_KINDS
"""The kinds that a dispatcher's ordinary workers claim."""

_LOCAL, _AIRFLOW, _STARTS, _SHOWS = "local", "airflow", "starts", "shows"
_GROUPS = {
    _LOCAL: _LOCAL_KINDS,
    _AIRFLOW: _AIRFLOW_KINDS - LIMITED_KINDS - _SHOW_KINDS,
    _STARTS: LIMITED_KINDS,
    _SHOWS: _SHOW_KINDS,
}
"""A worker claims jobs of one group at a time, so that no quick job waits behind a slow one."""


class Claimed(NamedTuple):
    """The jobs that a worker has claimed; if none, the kinds of jobs that it sleeps for."""

    jobs: Sequence[Job]
    awaited: frozenset[str] = frozenset()


class Claims:
    """Claims jobs for the workers of one dispatcher; thread-safe."""

    def __init__(self, breaker: Breaker, capacity: Capacity) -> None:
        self._breaker = breaker
        self._capacity = capacity
        # Random, since other machines have the same pids; half of an advisory lock's key.
        self.holder = secrets.randbelow(2**31)
        self._in_flight: set[tuple[int, int]] = set()
        """Jobs by their id and number of claims."""
        # Held during a claim, too, since turns must be taken one after the other.
        self._lock = threading.Lock()
        self._turns = {group: Turns() for group in _GROUPS}
        self._probe_turns = Turns()
        self._order = deque(_GROUPS)

    @property
    def in_flight(self) -> set[int]:
        """Ids of the jobs that workers are handling, except slow ones."""
        return {job_id for job_id, _ in self._in_flight.copy()}

    @contextmanager
    def working_on(self, claimed: Sequence[Job]) -> Iterator[None]:
        """Count jobs as in flight within the block."""
        these = {(job.id, job.claims) for job in claimed}
        self._in_flight |= these
        try:
            yield
        finally:
            self._in_flight -= these

    def take(self, permits: Permits, *, may_ask_airflow: bool) -> Claimed:
        """Claim jobs of one group, in rotation."""
        awaited = _LOCAL_KINDS
        with self._lock:
            with unit_of_work() as session:
                ready = lanes.ready(session, ALL_KINDS)
            for group in tuple(self._order):
                if group != _LOCAL and (not may_ask_airflow or self._breaker.is_open):
                    continue
                claimed = self._claim(group, permits) if ready & _GROUPS[group] else []
                if claimed:
                    self._order.remove(group)
                    self._order.append(group)
                    return Claimed(claimed)
                # Starts that wait for room are due already: the listener watches for room.
                if group != _STARTS or not self._capacity.is_full:
                    awaited |= _GROUPS[group]
        return Claimed((), awaited)

    def take_probe(self) -> list[Job]:
        """Claim one job to probe whether Airflow is back."""
        # Without a permit: briefly having one run too many is better than not noticing.
        with unit_of_work() as session:
            # In turns: Airflow may fail for good at the runs of one automation.
            return jobs.claim(
                session, 1, _AIRFLOW_KINDS, holder=self.holder, turns=self._probe_turns
            )

    def take_express(self, limit: int) -> list[Job]:
        """Claim runs that wait for express workers, if there are no such workers."""
        with unit_of_work() as session:
            if jobs.express_workers(session):
                return []
            return jobs.claim(session, limit, _EXPRESS_KINDS, holder=self.holder)

    def _claim(self, group: str, permits: Permits) -> list[Job]:
        limit, room = _SHOW_BATCH_SIZE if group == _SHOWS else _BATCH_SIZE, None
        with unit_of_work() as session:
            if group == _STARTS:
                limit, room = permits.look(session, _START_BATCH_SIZE)
                if not limit:
                    return []
            claimed = jobs.claim(
                session,
                limit,
                _GROUPS[group],
                holder=self.holder,
                turns=self._turns[group],
                room=room,
            )
        if group == _STARTS:
            permits.hold(str(job.lane) for job in claimed)
        return claimed
