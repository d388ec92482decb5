"""Notices in Airflow's audit log that somebody has deleted the DAG of an automation.

Airflow forgets the DAG, its DagRuns and when its file was parsed; the file is there as before, and
would be parsed again after ten minutes. Airflow's API says nothing of it meanwhile, as it shows the
audit log of DAGs that there are. So the log is read in the database, beside the scheduler.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, Engine, text

from automations.definitions.published import workflow_id
from automations.services.runs import lost_dags
from automations_airflow.scheduler.scheduler_threads import SchedulerThread

log = logging.getLogger(__name__)

# Written a moment before the DAG is gone, and also when it could not be deleted. Where its file was
# just being parsed the DAG is back at once, but none of its versions is as old as the entry.
_DELETED = text("""
SELECT DISTINCT ON (l.dag_id) l.dag_id, l.owner, l.dttm FROM log l
WHERE l.event IN ('delete_dag', 'cli_dag_delete') AND l.dttm > now() - interval '1 day'
    AND l.dag_id ~ '^automation_c[0-9a-z]{24}$'
    AND NOT EXISTS (
        SELECT FROM dag_version v WHERE v.dag_id = l.dag_id AND v.created_at < l.dttm
    )
ORDER BY l.dag_id, l.dttm DESC
""")

Recover = Callable[[str, str, datetime], None]


class Deletions(SchedulerThread):
    """Has automations recovered whose DAGs are deleted.

    Args:
        engine: of Airflow's database, which is only read.
        recover: is told the automation, who has deleted its DAG, and when.
    """

    task = "look for deleted DAGs"
    interval = 2.0
    """Each look costs one query by an index."""

    def __init__(self, engine: Engine, recover: Recover = lost_dags.recover) -> None:
        super().__init__(engine)
        self._recover = recover
        self._seen: dict[str, datetime] = {}

    def look(self, connection: Connection) -> None:
        deleted = connection.execute(_DELETED).all()
        failed: Exception | None = None
        for dag, owner, at in deleted:
            automation = workflow_id(dag)
            if automation is None or self._seen.get(dag) == at:
                continue
            log.warning("%s was deleted by %s: it is published anew", dag, owner)
            try:
                self._recover(automation, owner or "unknown", at)
            except Exception as error:  # noqa: BLE001 -- raised when the others have had their turn
                failed = failed or error
            else:
                self._seen[dag] = at
        if failed is not None:
            raise failed
