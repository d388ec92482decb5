"""Takes runs that only wait out of the scheduler's rotation, and puts them back.

Airflow's scheduler looks at every running run again and again, waiting ones too: with some
hundred of them parked on approvals, a step's successor starts tens of seconds late. It asks for
``run_after <= now()``, so a run whose unfinished tasks all wait gets a ``run_after`` a while ahead.

The original is kept in a table of ours beside Airflow's, written by the same statement, so that
a crash at any point loses nothing. The new value is a lease, not the far future: without this
thread every run comes back by itself. Rows are locked and skipped when locked, so that two
schedulers may both do this. This is the one place that writes to Airflow's own tables.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import Connection, Engine, text

from automations_airflow.scheduler_threads import SchedulerThread
from automations_airflow.waiting import QUESTION_KEY

log = logging.getLogger(__name__)

THOROUGH_TURNS = 10
"""Every so many looks the dear one is taken, too."""
LEASE = timedelta(hours=1)
"""How late a run is at most when nobody puts it back, against how often each is written anew."""

_CREATE = """
CREATE TABLE IF NOT EXISTS automations_parked_run (
    dag_run_id integer PRIMARY KEY,
    run_after timestamptz NOT NULL,
    parked_until timestamptz NOT NULL
)
"""

# Rows of runs that are gone, or whose run_after somebody else has set since.
_TIDY = """
DELETE FROM automations_parked_run p
WHERE NOT EXISTS (
    SELECT FROM dag_run r WHERE r.id = p.dag_run_id AND r.run_after = p.parked_until
)
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

_WAITING = """
EXISTS (
    SELECT FROM task_instance t
    WHERE t.dag_id = r.dag_id AND t.run_id = r.run_id AND t.state IN ('awaiting_input', 'deferred')
)
"""

# A run whose lease ran out comes by again: its original run_after stays as it is.
_PARK = f"""
WITH idle AS (
    SELECT r.id, r.run_after FROM dag_run r
    WHERE r.state = 'running' AND r.dag_id ~ '^automation_c[0-9a-z]{{24}}$' AND r.run_after <= now()
        AND {_WAITING} AND NOT {_BUSY}
    FOR UPDATE OF r SKIP LOCKED
), kept AS (
    INSERT INTO automations_parked_run AS p (dag_run_id, run_after, parked_until)
    SELECT id, run_after, now() + :lease FROM idle
    ON CONFLICT (dag_run_id) DO UPDATE SET
        run_after = CASE
            WHEN p.parked_until = excluded.run_after THEN p.run_after ELSE excluded.run_after
        END,
        parked_until = excluded.parked_until
)
UPDATE dag_run r SET run_after = now() + :lease FROM idle WHERE r.id = idle.id
"""  # noqa: S608 -- the conditions above

_WAKE = """
WITH awake AS (
    SELECT p.* FROM automations_parked_run p JOIN dag_run r ON r.id = p.dag_run_id
    WHERE {condition}
    FOR UPDATE OF r SKIP LOCKED
), gone AS (
    DELETE FROM automations_parked_run p USING awake WHERE p.dag_run_id = awake.dag_run_id
)
UPDATE dag_run r SET
    run_after = awake.run_after,
    last_scheduling_decision =
        CASE WHEN r.state IN ('running', 'queued') THEN NULL ELSE r.last_scheduling_decision END
FROM awake WHERE r.id = awake.dag_run_id AND r.run_after = awake.parked_until
"""
# A run waits in one task at a time: what is answered is seen by this, at 1 µs a parked run.
_WAKE_ANSWERED = _WAKE.format(condition=f"r.state <> 'running' OR NOT {_WAITING}")
# Clearing an earlier task leaves the waiting one as it is; to see that takes 10 µs a parked run.
_WAKE_BUSY = _WAKE.format(condition=_BUSY)
_WAKE_ALL = _WAKE.format(condition="true")

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
    options = (asked.value -> 'options')::json, params = (asked.value -> 'params')::json
FROM asked WHERE h.ti_id = asked.id AND h.responded_at IS NULL
"""


def prepare(connection: Connection) -> None:
    """Make our table, and forget what is no longer parked."""
    connection.execute(text(_CREATE))
    connection.execute(text(_TIDY))


def park(connection: Connection, lease: timedelta = LEASE) -> int:
    """Park the runs that only wait; return how many."""
    return connection.execute(text(_PARK), {"lease": lease}).rowcount


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
    """Parks and wakes runs; when it stops, what is parked comes back when its lease ends."""

    task = "park runs"
    interval = 0.5
    """By so much an answered run may come back late."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._turn = 0

    def watch(self, connection: Connection) -> None:
        prepare(connection)
        super().watch(connection)

    def look(self, connection: Connection) -> None:
        woken = wake_answered(connection)
        if self._turn % THOROUGH_TURNS == 0:
            woken += wake_busy(connection)
        self._turn += 1
        refreshed = refresh_questions(connection)
        parked = park(connection)
        if woken or refreshed or parked:
            log.info("Parked %d runs, woke %d, refreshed %d questions", parked, woken, refreshed)
