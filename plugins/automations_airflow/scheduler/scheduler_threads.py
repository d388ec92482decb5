"""The base class of our threads in the scheduler's process, which survive a lost database."""

from __future__ import annotations

import logging
import threading
from typing import ClassVar

from sqlalchemy import Connection, Engine

log = logging.getLogger(__name__)

RECONNECT_INTERVAL = 5.0
"""Seconds after a failure: soon enough for a restart of the database, and no flood of the log."""


class SchedulerThread(threading.Thread):
    """Looks at Airflow's database again and again, until the process ends or it is told to stop.

    Args:
        engine: of Airflow's database.
    """

    task: ClassVar[str]
    """What it does, in words."""
    interval: ClassVar[float]
    """Seconds between two looks."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(name=f"automations: {self.task}", daemon=True)
        self._engine = engine
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End after the current look."""
        self._stopped.set()

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                with self._engine.connect() as connection:
                    self.watch(connection)
            except Exception:  # the scheduler would go on without it, and nobody would know
                log.exception("Cannot %s now; trying again in %s s", self.task, RECONNECT_INTERVAL)
                self._stopped.wait(RECONNECT_INTERVAL)

    def watch(self, connection: Connection) -> None:
        """Look by one connection, for as long as it lasts."""
        while not self._stopped.wait(self.interval):
            self.look(connection)

    def look(self, connection: Connection) -> None:
        """Look once."""
        raise NotImplementedError
