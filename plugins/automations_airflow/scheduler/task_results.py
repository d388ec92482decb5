"""Deletes the results of ended tasks that Celery's workers have stored and Airflow has read."""

from __future__ import annotations

from sqlalchemy import Connection, text

from automations_airflow.scheduler.scheduler_threads import SchedulerThread

_IS_THERE = text("SELECT to_regclass('celery_taskmeta') IS NOT NULL")
# Celery's moments are UTC's, and do not say so. It notes one when a task begins, too, and asks for
# the row of a task for as long as that runs.
_FORGET = text("""
DELETE FROM celery_taskmeta
WHERE status IN ('SUCCESS', 'FAILURE', 'REVOKED')
    AND date_done < now() AT TIME ZONE 'UTC' - interval '7 days'
""")


class TaskResults(SchedulerThread):
    """Deletes the rows that Celery itself deletes only where its timer is run."""

    task = "forget old results"
    interval = 3600.0

    def look(self, connection: Connection) -> None:
        if connection.scalar(_IS_THERE):
            connection.execute(_FORGET)
