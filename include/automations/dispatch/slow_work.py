"""Slow jobs, which wait for servers of others: no workspace gets all the workers for them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection

from automations.db.queue import jobs
from automations.db.queue.lanes import Room, Turns
from automations.db.session import unit_of_work
from automations.db.tables import Job
from automations.dispatch.jobs.base import SLOW_LEASE

WORKERS = 12
"""They wait for servers of others, for two minutes at most, and cost next to nothing."""
WORKSPACE_LIMIT = 4
"""Workers for one workspace at most: if its server hangs, that holds up only its own jobs."""


class SlowWork:
    """The slow jobs that one process has in flight; thread-safe.

    Args:
        kinds: the kinds of slow jobs.
    """

    def __init__(self, kinds: Collection[str]) -> None:
        self._kinds = kinds
        self._in_flight: dict[tuple[int, int], str | None] = {}
        """The workspaces of the jobs, by their id and number of claims."""
        self._turns = Turns()
        # Held during a claim, too: otherwise two workers could both take the last place.
        self._lock = threading.Lock()
        self._wake = threading.Condition()
        self._signals = 0

    @property
    def signals(self) -> int:
        """The number of signals so far."""
        return self._signals

    @property
    def in_flight(self) -> set[int]:
        """Ids of the jobs."""
        with self._lock:
            return {job_id for job_id, _ in self._in_flight}

    def signal(self, workers: int = 1) -> None:
        """Wake workers that sleep."""
        with self._wake:
            self._signals += 1
            self._wake.notify(workers)

    def sleep(self, seen: int, seconds: float) -> None:
        """Sleep for some seconds, or until a signal beyond those ``seen``."""
        with self._wake:
            if seen == self._signals:
                self._wake.wait(seconds)

    def take(self, holder: int) -> tuple[Job | None, float | None]:
        """Claim a job of a workspace that is below its limit.

        Returns:
            the job; or, if there is none, the seconds until there may be one.
        """
        with self._lock, unit_of_work() as session:
            counts = Counter(self._in_flight.values())
            full = [
                str(workspace_id)
                for workspace_id, count in counts.items()
                if count >= WORKSPACE_LIMIT
            ]
            claimed = jobs.claim(
                session,
                1,
                self._kinds,
                holder=holder,
                lease=SLOW_LEASE,
                turns=self._turns,
                room=Room(full=full),
            )
            if not claimed:
                return None, jobs.seconds_to_next(session, self._kinds)
            self._in_flight[claimed[0].id, claimed[0].claims] = claimed[0].workspace_id
        self.signal()  # there may be more, for another worker
        return claimed[0], None

    def release(self, job: Job) -> None:
        """Free the place of a job that was done or put back."""
        with self._lock:
            del self._in_flight[job.id, job.claims]
        self.signal()
