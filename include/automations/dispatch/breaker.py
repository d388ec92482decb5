"""A circuit breaker: while Airflow is away, single jobs probe it, and all others are held back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

_MIN_PAUSE = 0.5
"""Seconds; most often Airflow's server is only being restarted."""
_MAX_PAUSE = 10.0
"""Seconds; the longest time until we notice that Airflow is back."""


class Breaker:
    """One process's knowledge of whether Airflow answers; thread-safe.

    It opens when two jobs in a row have failed: a single failure may be the job's own fault, and
    must not hold up the others.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: set[int] = set()
        self._pause = 0.0
        self._probe_at = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether jobs are held back."""
        return self._pause > 0

    @contextmanager
    def probing(self) -> Iterator[bool]:
        """Yields whether one job may probe Airflow now; no other one may within the block."""
        with self._lock:
            may = self.is_open and not self._probing and self._clock() >= self._probe_at
            self._probing = self._probing or may
        try:
            yield may
        finally:
            if may:
                # Only one probes at a time, so nobody else writes this now.
                self._probing = False

    def seconds_to_probe(self) -> float | None:
        """How long until a job may probe Airflow; None if nobody is to probe it."""
        with self._lock:
            if not self.is_open or self._probing:
                return None
            return max(0.0, self._probe_at - self._clock())

    def record_failure(self, job_id: int, reason: str, *, probe: bool) -> None:
        """Record that Airflow could not be reached for a job."""
        with self._lock:
            self._failed.add(job_id)
            if self.is_open:
                if probe:
                    self._hold(min(self._pause * 2, _MAX_PAUSE))
            elif len(self._failed) > 1:
                log.warning("What needs Airflow waits until it is back: %s", reason)
                self._hold(_MIN_PAUSE)

    def record_answer(self) -> bool:
        """Record that Airflow has answered; returns whether jobs were held back until now."""
        with self._lock:
            was_open, self._pause = self.is_open, 0.0
            self._failed.clear()
        if was_open:
            log.info("Airflow is back")
        return was_open

    def _hold(self, pause: float) -> None:
        self._pause, self._probe_at = pause, self._clock() + pause
