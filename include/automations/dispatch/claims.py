"""Which jobs the workers of one dispatcher take, and which of them are in flight."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from automations.db.queue import jobs
from automations.db.queue.lanes import Turns
from automations.db.session import Session, unit_of_work
from automations.db.tables import Job, JobKind
from automations.dispatch.breaker import Breaker
from automations.dispatch.capacity import Capacity, Permits
from automations.dispatch.jobs.registry import HANDLERS

_BATCH_SIZE = 8
"""Jobs of a claim: fewer round trips, and still little that waits behind a slow one."""
_START_BATCH_SIZE = 32
"""Starts of a claim, which are made in one go: some hundredths of a second each, at Airflow's."""
_SHOW_BATCH_SIZE = 100
"""Runs of a claim that have ended: Airflow is given rows only, and nobody waits for them there."""

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
"""What a worker takes at a time is of one group: a quick job waits for no slow one."""


class Claimed(NamedTuple):
    """What a worker has claimed; and, when that is nothing, the kinds that it sleeps for."""

    jobs: Sequence[Job]
    awaited: frozenset[str] = frozenset()


class Claims:
    """Claims jobs for the workers of one dispatcher; safe to be used by several threads."""

    def __init__(self, breaker: Breaker, capacity: Capacity) -> None:
        self._breaker = breaker
        self._capacity = capacity
        # Drawn, since pids repeat on other machines; as large as half of an advisory lock's key.
        self.holder = secrets.randbelow(2**31)
        self._in_flight: set[tuple[int, int]] = set()
        """Ids and claims of jobs."""
        # Held while some are claimed, too: whose turn it is, is one after the other.
        self._lock = threading.Lock()
        self._turns = {group: Turns() for group in _GROUPS}
        self._probe_turns = Turns()
        self._order = deque(_GROUPS)

    @property
    def in_flight(self) -> set[int]:
        """Ids of the jobs that workers are at, but for slow ones."""
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
        """Claim jobs of one group, each group after the others."""
        awaited = _LOCAL_KINDS
        with self._lock:
            for group in tuple(self._order):
                if group != _LOCAL and (not may_ask_airflow or self._breaker.is_open):
                    continue
                with unit_of_work() as session:
                    claimed = self._claim(session, group, permits)
                if claimed:
                    self._order.remove(group)
                    self._order.append(group)
                    return Claimed(claimed)
                # Starts that wait for room are due: the listener looks for that, not the clock.
                if group != _STARTS or not self._capacity.is_full:
                    awaited |= _GROUPS[group]
        return Claimed((), awaited)

    def take_probe(self) -> list[Job]:
        """Claim one job that shows whether Airflow is back."""
        # Without a permit: one run too many, for a moment, is better than not to notice.
        with unit_of_work() as session:
            # By another automation's each time: Airflow may fail at one of them for good.
            return jobs.claim(
                session, 1, _AIRFLOW_KINDS, holder=self.holder, turns=self._probe_turns
            )

    def take_express(self, limit: int) -> list[Job]:
        """Claim runs that wait for express workers, unless one of these is there."""
        with unit_of_work() as session:
            if jobs.express_workers(session):
                return []
            return jobs.claim(session, limit, _EXPRESS_KINDS, holder=self.holder)

    def _claim(self, session: Session, group: str, permits: Permits) -> list[Job]:
        limit, room = _SHOW_BATCH_SIZE if group == _SHOWS else _BATCH_SIZE, None
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
