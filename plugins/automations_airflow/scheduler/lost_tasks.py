"""Finds tasks of this machine whose processes are gone, if Celery's executor runs them.

What is lost with a worker of Celery's Airflow notices when its heartbeat is old, and that has to
be minutes, since a starved one is late as well. That a process is gone is known at once. So such a
task is said to have been silent for long, and the scheduler does what it does then. Those of
other machines wait for their heartbeats.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psutil
from airflow.utils.net import get_hostname
from sqlalchemy import Connection, Engine, Row, text

from automations.launcher import processes
from automations_airflow.scheduler.scheduler_threads import SchedulerThread

log = logging.getLogger(__name__)

HEARTBEAT_TIMEOUT = 10.0
"""Seconds, of no clock that is set: two heartbeats, of which a task that lives sends one."""
_SUPERVISOR = "airflow supervisor: "
"""How a process of Celery's is called while it carries out the task whose id follows."""
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

_RUNNING = text("""
SELECT id::text, dag_id, run_id, task_id, pid, last_heartbeat_at FROM task_instance
WHERE state IN ('running', 'restarting') AND hostname = :host AND pid IS NOT NULL
    AND last_heartbeat_at > :long_ago
""")
_SILENCE = text("""
UPDATE task_instance SET last_heartbeat_at = :long_ago
WHERE id = CAST(:id AS uuid) AND state IN ('running', 'restarting') AND last_heartbeat_at = :seen
""")


class LostTasks(SchedulerThread):
    """Has tasks tried again whose processes are gone; beside each scheduler may be one."""

    task = "look for lost tasks"
    interval = 2.0

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._missed: dict[tuple[str, datetime], float] = {}
        """Since when a task is missed that was last heard of at a moment."""

    def look(self, connection: Connection) -> None:
        parameters = {"host": get_hostname(), "long_ago": _LONG_AGO}
        missed = _find_lost(connection.execute(_RUNNING, parameters).all())
        now = time.monotonic()
        self._missed = {_key(task): self._missed.get(_key(task), now) for task in missed}
        for task in missed:
            if now - self._missed[_key(task)] < HEARTBEAT_TIMEOUT:
                continue
            silence = {"id": task.id, "seen": task.last_heartbeat_at, "long_ago": _LONG_AGO}
            if connection.execute(_SILENCE, silence).rowcount:
                names = (task.task_id, task.run_id, task.dag_id, task.pid)
                log.warning("%s of %s of %s has lost its process (%s)", *names)


def _key(task: Row[Any]) -> tuple[str, datetime]:
    return task.id, task.last_heartbeat_at


def _find_lost(tasks: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Those that are gone, and whose supervisors are."""
    dead = [task for task in tasks if not _is_there(task.pid, task.last_heartbeat_at)]
    if not dead:
        return []
    # It reads what the task has left, for a minute and with no heartbeat, and then tells its end.
    titles = {" ".join(p.info["cmdline"] or ()).strip() for p in psutil.process_iter(["cmdline"])}
    return [task for task in dead if f"{_SUPERVISOR}{task.id}" not in titles]


def _is_there(pid: int, heard: datetime) -> bool:
    """Whether a process is there that was there when it was heard of."""
    created = processes.create_time(pid)
    was_there = created > 0 and processes.to_unix_time(created) <= heard.timestamp()
    return was_there and processes.is_alive(pid, created)
