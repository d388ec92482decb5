"""Marks in Airflow the tasks that were done ahead or skipped, as if each had run by itself.

Beside the scheduler, since task processes may not reach Airflow's database. One leg of a run is one
transaction: all of its tasks are marked, or none. None is when anything is not as it was when the
leg began: the run has ended or was cleared, somebody has marked one of the tasks, or Airflow has
begun one. Airflow then goes on by itself, and its tasks are answered what is on record.

Rows are locked in the order of the scheduler's own: the run, then its tasks. Others lock them the
other way round, so that this gives up sooner than PostgreSQL looks for a deadlock.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from automations.services.runs import handovers
from automations_airflow.scheduler.scheduler_threads import SchedulerThread

log = logging.getLogger(__name__)

SUCCESS, SKIPPED = "success", "skipped"

LEFT = "What was done ahead is left to Airflow: %s"

_RUN_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
"""The scheduler has many runs locked at once, for as long as it looks at all of them."""
_TASK_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '300ms'"
"""With the run locked: who has the tasks may wait for it."""
_LOCK_NOT_AVAILABLE = "55P03"

_RUN = text("""
SELECT id FROM dag_run
WHERE dag_id = :dag AND run_id = :run AND state = 'running' AND clear_number = :generation
FOR NO KEY UPDATE
""")

_TASKS = text("""
SELECT task_id, id::text, state FROM task_instance
WHERE dag_id = :dag AND run_id = :run AND map_index = -1 AND task_id = ANY (:tasks)
ORDER BY task_id FOR NO KEY UPDATE
""")

_MARK = text("""
UPDATE task_instance t SET
    state = m.state, start_date = m.started, end_date = m.ended,
    duration = extract(epoch FROM m.ended - m.started),
    try_number = CASE WHEN m.state = 'success' THEN 1 ELSE t.try_number END,
    hostname = CASE WHEN m.state = 'success' THEN :host ELSE t.hostname END,
    unixname = CASE WHEN m.state = 'success' THEN :user ELSE t.unixname END,
    pid = CASE WHEN m.state = 'success' THEN :pid ELSE t.pid END,
    scheduled_dttm
        = coalesce(t.scheduled_dttm, CASE WHEN m.state = 'success' THEN m.started END),
    queued_dttm = coalesce(t.queued_dttm, CASE WHEN m.state = 'success' THEN m.started END),
    updated_at = clock_timestamp()
FROM jsonb_to_recordset(CAST(:marks AS jsonb))
    AS m (task text, state text, started timestamptz, ended timestamptz)
WHERE t.dag_id = :dag AND t.run_id = :run AND t.map_index = -1 AND t.task_id = m.task
    AND (t.state IS NULL OR t.task_id = :leader)
""")

_PUSH = text("""
INSERT INTO xcom
    (dag_run_id, task_id, map_index, key, dag_result, dag_id, run_id, value, timestamp)
SELECT :id, m.task, -1, x.key, false, :dag, :run, x.value, m.ended
FROM jsonb_to_recordset(CAST(:marks AS jsonb)) AS m (task text, ended timestamptz, xcoms jsonb)
    CROSS JOIN LATERAL jsonb_each(m.xcoms) AS x
ON CONFLICT (dag_run_id, task_id, map_index, key) DO UPDATE
SET value = excluded.value, timestamp = excluded.timestamp
""")

_SHOW = text("""
INSERT INTO rendered_task_instance_fields (dag_id, task_id, run_id, map_index, rendered_fields)
SELECT :dag, m.task, :run, -1, m.rendered
FROM jsonb_to_recordset(CAST(:marks AS jsonb)) AS m (task text, rendered json)
WHERE m.rendered IS NOT NULL
ON CONFLICT (dag_id, task_id, run_id, map_index) DO UPDATE
SET rendered_fields = excluded.rendered_fields
""")


@dataclass(frozen=True, slots=True)
class Mark:
    """The state in which to mark one task.

    Args:
        started: this and ``ended`` are in ISO 8601.
        xcoms: the XComs that the task would have pushed, by key.
        rendered: its rendered templates, by field; None if it has none.
    """

    task: str
    state: str
    started: str
    ended: str
    xcoms: Mapping[str, Any]
    rendered: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Marks:
    """One leg: the tasks that were done in one process, ahead of their own.

    Args:
        leader: the task in whose process they were done, and the id of its task instance; it may
            be one of the tasks.
        generation: the DagRun's clear_number.
    """

    dag: str
    run: str
    generation: int
    leader: tuple[str, str]
    host: str
    user: str
    pid: int
    tasks: Sequence[Mark]

    def to_json(self) -> dict[str, Any]:
        """Its JSON for a handover."""
        return asdict(self)

    @classmethod
    def of(cls, handed: Mapping[str, Any]) -> Marks:
        """Read the JSON of a handover."""
        task, ti = handed["leader"]
        tasks = [Mark(**fields) for fields in handed["tasks"]]
        return cls(**{**handed, "leader": (task, ti), "tasks": tasks})


def mark(connection: Connection, marks: Marks) -> bool:
    """Mark the tasks of a leg in the caller's transaction, all or none; returns whether it did."""
    connection.execute(text(_RUN_LOCK_TIMEOUT))
    names = {"dag": marks.dag, "run": marks.run}
    run = connection.scalar(_RUN, {**names, "generation": marks.generation})
    if run is None:
        return False
    connection.execute(text(_TASK_LOCK_TIMEOUT))
    states_by_task = {task_mark.task: task_mark.state for task_mark in marks.tasks}
    leader, leaders_id = marks.leader
    rows = connection.execute(_TASKS, {**names, "tasks": [leader, *states_by_task]}).all()
    stand = {row.task_id: row for row in rows}
    if stand.keys() != {leader, *states_by_task}:
        return False
    if stand[leader].id != leaders_id or stand[leader].state not in ("running", SUCCESS):
        return False
    others = (task for task in states_by_task if task != leader)
    if any(stand[task].state not in (None, states_by_task[task]) for task in others):
        return False
    rest = {"marks": json.dumps([asdict(task_mark) for task_mark in marks.tasks])}
    process = {"host": marks.host, "user": marks.user, "pid": marks.pid, "leader": leader}
    marked = connection.execute(_MARK, {**names, **process, **rest}).rowcount
    if marked:
        connection.execute(_PUSH, {**names, "id": run, **rest})
        connection.execute(_SHOW, {**names, **rest})
    return bool(marked)


def is_locked_by_others(error: DBAPIError) -> bool:
    """Whether marking failed because somebody else has rows of the leg locked."""
    return getattr(error.orig, "pgcode", None) == _LOCK_NOT_AVAILABLE


class Marker(SchedulerThread):
    """Marks legs as soon as they are handed over.

    Args:
        engine: for Airflow's database, without autocommit.
    """

    task = "mark tasks that were done ahead"
    interval = 1.0
    """Seconds; only a safety net, since whoever hands over wakes this thread."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.marked = 0

    def watch(self, connection: Connection) -> None:
        with handovers.listening() as wait:
            taker = self._taker(connection)
            while not self._stopped.is_set():
                while taker.take():
                    pass
                wait(self.interval)

    def look(self, connection: Connection) -> None:
        taker = self._taker(connection)
        while taker.take():
            pass

    def _taker(self, connection: Connection) -> handovers.HandoverConsumer:
        return handovers.HandoverConsumer(lambda handed: self._mark(connection, handed))

    def _mark(self, connection: Connection, handed: Mapping[str, Any]) -> bool:
        """Mark one leg; False to try again, if somebody has its rows locked."""
        try:
            with connection.begin():
                self.marked += mark(connection, Marks.of(handed))
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            if is_locked_by_others(error):
                return False
            log.exception(LEFT, handed)
        except Exception:  # one that cannot be read must hold up no other
            log.exception(LEFT, handed)
        return True
