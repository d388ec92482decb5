"""Knows the processes behind Airflow's jobs, so that those of a dead one are taken over at once.

Airflow takes a scheduler or a triggerer for dead when its heartbeat is old, and what is a long
time for a dead one is a short time for a starved one; a dead dag-processor it never notices. So
each notes its process in a table of ours beside Airflow's. One that starts on the same machine
sees which are gone, and says so; the threshold of heartbeats, which has to be long, is for other
machines only.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, event, text
from sqlalchemy.exc import SQLAlchemyError

from automations.launcher import processes

log = logging.getLogger(__name__)

HEARTBEAT_TIMEOUT = timedelta(seconds=10)
"""How old a heartbeat must be where processes cannot be seen: several times its interval."""

# Several parts start at once, and PostgreSQL's IF NOT EXISTS is no protection from that.
_CREATE = """
SELECT pg_advisory_xact_lock(hashtext('automations_job_process'));
CREATE TABLE IF NOT EXISTS automations_job_process (
    job_id integer PRIMARY KEY,
    host text NOT NULL,
    processes text NOT NULL,
    pid integer NOT NULL,
    created double precision NOT NULL
)
"""

_NOTE = """
INSERT INTO automations_job_process (job_id, host, processes, pid, created)
VALUES (:job_id, :host, :processes, :pid, :created)
"""

_FORGET = """
DELETE FROM automations_job_process p
WHERE NOT EXISTS (SELECT FROM job j WHERE j.id = p.job_id AND j.state = 'running')
"""

# A container that was started again has its hostname and other process numbers; so has one that
# shares the machine's hostname with it and lives.
_OTHERS = """
SELECT p.job_id, p.pid, p.created, p.processes = :processes AS visible,
    j.latest_heartbeat < now() - :timeout AS silent
FROM automations_job_process p JOIN job j ON j.id = p.job_id
WHERE p.host = :host AND p.job_id <> :job_id AND j.state = 'running'
"""

_END = text(
    "UPDATE job SET state = 'failed', end_date = now() WHERE state = 'running' AND id IN :ids"
).bindparams(bindparam("ids", expanding=True))


def watch(job: type[Any]) -> None:
    """Note this process with the job that it is about to insert."""
    event.listen(job, "after_insert", _on_insert)


def take_over(connection: Connection, job_id: int, host: str) -> list[int]:
    """Note this process as a job's, and end the jobs of this host whose processes are gone.

    Returns:
        the jobs that have been ended.
    """
    connection.execute(text(_CREATE))
    me = {"job_id": job_id, "host": host, "processes": _namespace()}
    others = connection.execute(text(_OTHERS), {**me, "timeout": HEARTBEAT_TIMEOUT}).all()
    dead = [
        other.job_id
        for other in others
        if (not _is_alive(other.pid, other.created) if other.visible else other.silent)
    ]
    if dead:
        connection.execute(_END, {"ids": dead})
    connection.execute(text(_FORGET))
    own = {"pid": os.getpid(), "created": processes.create_time(os.getpid())}
    connection.execute(text(_NOTE), {**me, **own})
    return dead


def _on_insert(_mapper: Any, connection: Connection, job: Any) -> None:
    if connection.dialect.name != "postgresql":
        return
    try:
        with connection.begin_nested():
            dead = take_over(connection, job.id, job.hostname)
    except SQLAlchemyError:  # the threshold of heartbeats remains
        log.exception("Cannot see whose processes are gone")
        return
    if dead:
        log.info("Ended the jobs %s, whose processes are gone", dead)


def _is_alive(pid: int, created: float) -> bool:
    return pid != os.getpid() and processes.is_alive(pid, created)


def _namespace() -> str:
    """Whose process numbers are seen from here: of which start of which machine, and where in it.

    All machines give the outermost place one name; and they may have one hostname, too.
    """
    seen = f"{processes.boot_id()} "
    with suppress(OSError):
        seen += os.readlink("/proc/self/ns/pid")
    return seen
