"""Takes runs that only wait out of the scheduler's rotation, and puts them back.

Airflow's scheduler looks at every running run again and again, waiting ones too: with some
hundred of them parked on approvals, a step's successor starts tens of seconds late. So a run whose
unfinished tasks all wait is named in a table of ours beside Airflow's, and the query by which the
scheduler chooses whom to look at leaves out those that are named there. Nothing of Airflow's own
is written: whoever looks at the run sees it as it is.

What is named there is a hint. It holds as long as the thread that puts runs back does its work in
the same process; without it the scheduler looks at all of them, as it would by itself.

Left out, too, are runs with a task in somebody's hands of which nothing has changed since the last
look: in a burst most of them stand in the executor's queue, and a look at one costs 25 ms.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import (
    Connection,
    Engine,
    Interval,
    any_,
    column,
    exists,
    func,
    literal,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.orm import Session, aliased

from automations_airflow.own_dags import PATTERN, is_own
from automations_airflow.scheduler.resting import Rest, install
from automations_airflow.scheduler.scheduler_threads import SchedulerThread
from automations_airflow.waits.waiting import QUESTION_KEY

log = logging.getLogger(__name__)

FULL_LOOK_INTERVAL = 5.0
"""Seconds between two looks of which the dear one is a part."""
TRUST_TIMEOUT = 30.0
"""Seconds since the last look for which what is parked is left out: later, nobody may look."""

SETTLE_TIME = timedelta(seconds=2)
"""So much older than the last look a change must be to have been seen by it: a change is dated
before it is committed."""
MAX_SKIP = timedelta(seconds=10)
"""The longest time without a look at a run of which a task is in hand: what else may be due, such
as the end of the run's own time, is so in seconds."""

_CREATE = """
CREATE TABLE IF NOT EXISTS automations_parked_run (
    dag_run_id integer PRIMARY KEY,
    task_instance_id uuid NOT NULL
)
"""

# Several schedulers do the same: one after the other, or they would wait for each other's rows in
# a circle. PostgreSQL gives it back when the process dies.
_ALONE = text("SELECT pg_advisory_lock(hashtext('automations_parking'))")
_NO_LONGER_ALONE = text("SELECT pg_advisory_unlock(hashtext('automations_parking'))")

# Of runs that are gone.
_TIDY = """
DELETE FROM automations_parked_run p
WHERE NOT EXISTS (SELECT FROM dag_run r WHERE r.id = p.dag_run_id)
"""

# A task of the run is on its way, or has changed since the scheduler last looked: a successor
# may be due.
_BUSY = """
EXISTS (
    SELECT FROM task_instance t
    WHERE t.dag_id = r.dag_id AND t.run_id = r.run_id AND (
        t.state IN (
            'scheduled', 'queued', 'running', 'restarting', 'up_for_retry', 'up_for_reschedule'
        )
        OR t.updated_at >= coalesce(r.last_scheduling_decision, '-infinity')
    )
)
"""

_WAITING = "t.state IN ('awaiting_input', 'deferred')"

# Those that are parked are left aside first, and by their numbers alone: a pattern costs 10 µs.
_PARK = f"""
WITH seen AS MATERIALIZED (
    SELECT r.id FROM dag_run r
    WHERE r.state = 'running'
        AND NOT EXISTS (SELECT FROM automations_parked_run p WHERE p.dag_run_id = r.id)
)
INSERT INTO automations_parked_run (dag_run_id, task_instance_id)
SELECT r.id, waiting.id FROM seen JOIN dag_run r ON r.id = seen.id CROSS JOIN LATERAL (
    SELECT t.id FROM task_instance t
    WHERE t.dag_id = r.dag_id AND t.run_id = r.run_id AND {_WAITING} LIMIT 1
) waiting
WHERE r.dag_id ~ '{PATTERN}' AND r.run_after <= now() AND NOT {_BUSY}
ON CONFLICT DO NOTHING
"""  # noqa: S608 -- the conditions above

# A run waits in one task at a time: what is answered is seen by that, at a part of a µs each.
_WAKE_ANSWERED = f"""
DELETE FROM automations_parked_run p
WHERE NOT EXISTS (
    SELECT FROM task_instance t WHERE t.id = p.task_instance_id AND {_WAITING}
)
"""  # noqa: S608 -- the conditions above
# Clearing an earlier task leaves the waiting one as it is; to see that takes 10 µs a parked run.
_WAKE_BUSY = f"""
DELETE FROM automations_parked_run p USING dag_run r
WHERE r.id = p.dag_run_id AND (r.state <> 'running' OR {_BUSY})
"""  # noqa: S608 -- the conditions above
_WAKE_ALL = "DELETE FROM automations_parked_run"

# Airflow keeps the first question of a task that is run once more; its operator left the new one.
_REFRESH_QUESTIONS = """
WITH asked AS (
    DELETE FROM xcom x USING task_instance t
    WHERE x.key = :key AND t.state = 'awaiting_input'
        AND (t.dag_id, t.run_id, t.task_id, t.map_index)
            = (x.dag_id, x.run_id, x.task_id, x.map_index)
    RETURNING t.id, x.value
)
UPDATE hitl_detail h SET
    subject = asked.value ->> 'subject', body = asked.value ->> 'body',
    options = (asked.value -> 'options')::json, params = (asked.value ->> 'params')::json
FROM asked WHERE h.ti_id = asked.id AND h.responded_at IS NULL
"""


def prepare(connection: Connection) -> None:
    """Make our table, and forget what is no longer parked."""
    with _alone(connection):
        connection.execute(text(_CREATE))
        connection.execute(text(_TIDY))


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Have no other scheduler park or wake meanwhile."""
    connection.execute(_ALONE)
    try:
        yield
    finally:
        connection.execute(_NO_LONGER_ALONE)


def park(connection: Connection) -> int:
    """Park the runs that only wait; return how many."""
    return connection.execute(text(_PARK)).rowcount


def wake_answered(connection: Connection) -> int:
    """Give back the parked runs that no longer wait; return how many."""
    return connection.execute(text(_WAKE_ANSWERED)).rowcount


def wake_busy(connection: Connection) -> int:
    """Give back the parked runs that wait and have other work to do; return how many."""
    return connection.execute(text(_WAKE_BUSY)).rowcount


def wake_all(connection: Connection) -> int:
    """Give back every parked run; return how many."""
    return connection.execute(text(_WAKE_ALL)).rowcount


def refresh_questions(connection: Connection) -> int:
    """Show the questions of repeated tasks as they are now; return how many."""
    return connection.execute(text(_REFRESH_QUESTIONS), {"key": QUESTION_KEY}).rowcount


class Parker(SchedulerThread):
    """Parks and wakes runs; while it does not, the scheduler looks at all of them."""

    task = "park runs"
    interval = 0.5
    """By so much an answered run may come back late of which nobody tells."""

    def __init__(self, engine: Engine, rest: Rest) -> None:
        super().__init__(engine)
        self._rest = rest
        self._looked_well = float("-inf")
        self._looked = float("-inf")
        self._told = threading.Event()

    @property
    def is_trusted(self) -> bool:
        """Whether what is parked is still looked after."""
        return time.monotonic() - self._looked < TRUST_TIMEOUT

    def watch(self, connection: Connection) -> None:
        prepare(connection)
        leave_out(self, self._rest)
        install(self._rest)
        while not self._stopped.is_set():
            self._told.wait(self.interval)
            self._told.clear()
            self.look(connection)

    def poll_soon(self) -> None:
        """Have it look now, since somebody may have been answered."""
        self._told.set()

    def look(self, connection: Connection) -> None:
        with _alone(connection):
            self._look(connection)

    def _look(self, connection: Connection) -> None:
        woken = wake_answered(connection)
        if time.monotonic() - self._looked_well > FULL_LOOK_INTERVAL:
            self._looked_well = time.monotonic()
            woken += wake_busy(connection)
        refreshed = refresh_questions(connection)
        parked = park(connection)
        self._looked = time.monotonic()
        if woken:
            self._rest.wake()
        if woken or refreshed or parked:
            log.info("Parked %d runs, woke %d, refreshed %d questions", parked, woken, refreshed)


_PARKED = table("automations_parked_run", column("dag_run_id"))
_RUNNING, _TASK = aliased(DagRun), aliased(TaskInstance)
_AWAKE = (
    select(_RUNNING.id)
    .where(_RUNNING.state == DagRunState.RUNNING)
    .where(~exists().where(_PARKED.c.dag_run_id == _RUNNING.id))
)
_OF_RUN = (_TASK.dag_id == _RUNNING.dag_id) & (_TASK.run_id == _RUNNING.run_id)
_IN_HAND = _TASK.state.in_(
    (
        TaskInstanceState.SCHEDULED,
        TaskInstanceState.QUEUED,
        TaskInstanceState.RUNNING,
        TaskInstanceState.RESTARTING,
    )
)
# A retry of Airflow's is due by the clock alone.
_MAY_BE_DUE = _TASK.state.in_(
    (TaskInstanceState.UP_FOR_RETRY, TaskInstanceState.UP_FOR_RESCHEDULE)
) | (_TASK.updated_at >= _RUNNING.last_scheduling_decision - literal(SETTLE_TIME, Interval))
_TO_DECIDE = or_(
    _RUNNING.last_scheduling_decision.is_(None),
    _RUNNING.last_scheduling_decision < func.now() - literal(MAX_SKIP, Interval),
    exists().where(_OF_RUN, _MAY_BE_DUE),
    ~exists().where(_OF_RUN, _IN_HAND),
    ~_RUNNING.dag_id.regexp_match(PATTERN),
)
# Found by their numbers before anything is read of them: with all of their columns, thousands of
# rows take three times as long to be told apart.
_TO_EXAMINE = func.array(_AWAKE.where(_TO_DECIDE).scalar_subquery())
_WORKING = exists(_AWAKE.where(_RUNNING.dag_id.regexp_match(PATTERN)))
_EXAMINE = DagRun.get_running_dag_runs_to_examine
"""Airflow's own query, which is left as it is but for one condition more."""


class _WithoutParked:
    """The scheduler's session, as the query has it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def scalars(self, query: Any, *args: Any, **more: Any) -> Any:
        return self._session.scalars(query.where(DagRun.id == any_(_TO_EXAMINE)), *args, **more)


def leave_out(parker: Parker, rest: Rest) -> None:
    """Have the scheduler of this process leave out what is parked, while that is looked after."""

    def examine(session: Session) -> list[DagRun]:
        seen: Any = _WithoutParked(session) if parker.is_trusted else session
        runs = list(_EXAMINE(session=seen))
        # What runs may end at any moment, and is to be seen at once.
        if any(is_own(run.dag_id) for run in runs) or session.scalar(select(_WORKING)):
            rest.note_runs()
        return runs

    # What it gives is only gone through, and so may be a list.
    DagRun.get_running_dag_runs_to_examine = staticmethod(examine)  # type: ignore[method-assign,assignment]
