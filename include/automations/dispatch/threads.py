"""Error handling for the threads of dispatchers and express workers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from automations.db.queue import jobs
from automations.db.session import Session, unit_of_work
from automations.db.tables import Job
from automations.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

_PAUSE_AFTER_ERROR = 1.0
"""Seconds: spares the log, and a database that has just come back."""


def repeat(body: Callable[[], None], stopping: threading.Event) -> None:
    """Call a function again and again until told to stop, whatever it raises."""
    while not stopping.is_set():
        try:
            body()
        except Exception:  # the database may be away; nothing is lost, so go on
            log.exception("%s goes on after an error", threading.current_thread().name)
            stopping.wait(_PAUSE_AFTER_ERROR)


def persist(write: Callable[[Session], object], stopping: threading.Event) -> None:
    """Write something, and retry while the database is away, until told to stop."""
    while True:
        try:
            with unit_of_work() as session:
                write(session)
        except DatabaseUnavailable:
            if stopping.wait(_PAUSE_AFTER_ERROR):
                return
        else:
            return


def put_back(job: Job, error: str, stopping: threading.Event) -> None:
    """Put a job back because the database was away, which does not count as its failure."""
    delay = timedelta(seconds=_PAUSE_AFTER_ERROR)
    persist(lambda session: jobs.reschedule(session, job, delay, error), stopping)
