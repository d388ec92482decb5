"""Jobs that wait for others outside: no workspace has all the workers that do them."""

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
"""They wait for servers of others, each for two minutes at most, and cost next to nothing."""
WORKSPACE_LIMIT = 4
"""Workers that one workspace has at most: its server, when it hangs, holds up its own jobs."""


class SlowWork:
    """The slow jobs that one process has in flight; safe to be used by several threads.

    Args:
        kinds: of the jobs.
    """

    def __init__(self, kinds: Collection[str]) -> None:
        self._kinds = kinds
        self._in_flight: dict[tuple[int, int], str | None] = {}
        """The workspaces of the jobs, by their ids and claims."""
        self._turns = Turns()
        # Held while one is claimed, too: two that count at once would both take the last place.
        self._lock = threading.Lock()
        self._wake = threading.Condition()
        self._signals = 0

    @property
    def signals(self) -> int:
        """How often there was something new."""
        return self._signals

    @property
    def in_flight(self) -> set[int]:
        """Ids of the jobs."""
        with self._lock:
            return {job_id for job_id, _ in self._in_flight}

    def signal(self, workers: int = 1) -> None:
        """Have somebody look who rests."""
        with self._wake:
            self._signals += 1
            self._wake.notify(workers)

    def sleep(self, seen: int, seconds: float) -> None:
        """Sleep so long, unless there has been something new since so many signals."""
        with self._wake:
            if seen == self._signals:
                self._wake.wait(seconds)

    def take(self, holder: int) -> tuple[Job | None, float | None]:
        """Claim a job of a workspace that has room.

        Returns:
            the job, and without one how many seconds it is until there may be one.
        """
        with self._lock, unit_of_work() as session:
            counts = Counter(self._in_flight.values())
            full = [str(one) for one, count in counts.items() if count >= WORKSPACE_LIMIT]
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
        """Give back the place of a job that was done, or put back."""
        with self._lock:
            del self._in_flight[job.id, job.claims]
        self.signal()
