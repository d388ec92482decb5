"""Lets the scheduler rest longer while there is nothing to do, and wakes it when there is.

Airflow's scheduler looks for work ten times a second here, so that a run begins at once; with
nothing to do that is most of what an idle installation uses. When it has found no run to look at
for a while it rests for a second at a time, and is woken by whoever makes one or puts one back.
What nobody tells of (a run that is triggered in Airflow's UI, a schedule's) waits for that second,
as it does in Airflow by itself.
"""

from __future__ import annotations

import select
import threading
import time
from typing import Any

from airflow.jobs import scheduler_job_runner
from sqlalchemy import Connection, Engine

from automations_airflow.scheduler_threads import SchedulerThread

CHANNEL = "automations_scheduler"
"""What is notified, in Airflow's database, of runs that were made."""
REST = 1.0
"""Seconds: what nobody tells of is seen as late at most."""
LINGERS = 2.0
"""Seconds without a run to look at after which there is nothing to do."""
_LOOK = 60.0
"""Seconds; only for whoever stops the thread."""


class Rest:
    """How long the scheduler of this process sleeps between two looks."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self._busy_until = time.monotonic() + LINGERS

    def wake(self) -> None:
        """Have the scheduler look now."""
        self._told.set()

    def found(self, runs: int) -> None:
        """Note how many runs it had to look at."""
        if runs:
            self._busy_until = time.monotonic() + LINGERS

    def sleep(self, seconds: float) -> None:
        """Sleep as long as it wishes, or longer, but no longer than until there is something."""
        if time.monotonic() >= self._busy_until:
            seconds = max(seconds, REST)
        if self._told.wait(seconds):
            self._told.clear()
            self._busy_until = time.monotonic() + LINGERS


class _Clock:
    """The module ``time``, as the scheduler's loop has it."""

    def __init__(self, rest: Rest) -> None:
        self.sleep = rest.sleep

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def let_rest(rest: Rest) -> None:
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
            if select.select([listening], [], [], _LOOK)[0]:
                listening.poll()
                if listening.notifies:
                    listening.notifies.clear()
                    self._rest.wake()
