"""Makes the scheduler loop faster while automations have work, and wakes it when more comes.

A run of an automation begins at once: while there is one to look at, the scheduler looks for work
ten times a second. With none it sleeps as its own option says, and is woken by whoever makes one or
puts one back. What nobody tells of (a run that is triggered in Airflow's UI, a schedule's) waits
for the end of that sleep, as it does in Airflow by itself; so do the runs of all other DAGs.
"""

from __future__ import annotations

import select
import threading
import time
from typing import Any

from airflow.jobs import scheduler_job_runner
from sqlalchemy import Connection, Engine

from automations_airflow.scheduler.scheduler_threads import SchedulerThread

CHANNEL = "automations_scheduler"
"""What is notified, in Airflow's database, of runs that were made."""
BUSY_SLEEP = 0.1
"""Seconds of sleep while there is something to do."""
IDLE_AFTER = 2.0
"""Seconds without a run to look at after which there is nothing to do."""
_IDLE_TIMEOUT = 60.0
"""Seconds; only for whoever stops the thread."""


class Rest:
    """How long the scheduler of this process sleeps between two looks."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self._busy_until = time.monotonic() + IDLE_AFTER

    def wake(self) -> None:
        """Have the scheduler look now."""
        self._told.set()

    def note_runs(self) -> None:
        """Note that runs of automations are under way."""
        self._busy_until = time.monotonic() + IDLE_AFTER

    def sleep(self, seconds: float) -> None:
        """Sleep as long as it wishes, or shorter, and no longer than until there is something."""
        if time.monotonic() < self._busy_until:
            seconds = min(seconds, BUSY_SLEEP)
        if self._told.wait(seconds):
            self._told.clear()
            self._busy_until = time.monotonic() + IDLE_AFTER


class _Clock:
    """The module ``time``, as the scheduler's loop has it."""

    def __init__(self, rest: Rest) -> None:
        self.sleep = rest.sleep

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def install(rest: Rest) -> None:
    """Have the scheduler of this process sleep by this."""
    scheduler_job_runner.time = _Clock(rest)  # type: ignore[assignment,attr-defined]


class Waker(SchedulerThread):
    """Wakes the scheduler when somebody says that there is a new run."""

    task = "hear of new runs"
    interval = 0.0

    def __init__(self, engine: Engine, rest: Rest) -> None:
        super().__init__(engine)
        self._rest = rest

    def watch(self, connection: Connection) -> None:
        listening: Any = connection.connection.driver_connection
        with listening.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        self._rest.wake()  # what was made before
        while not self._stopped.is_set():
            if select.select([listening], [], [], _IDLE_TIMEOUT)[0]:
                listening.poll()
                if listening.notifies:
                    listening.notifies.clear()
                    self._rest.wake()
