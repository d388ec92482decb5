"""Removes everything of automations from an Airflow's database, while that Airflow is down.

Run as ``python -m automations_airflow.removal`` where Airflow's own commands are run.
"""

from __future__ import annotations

import sys
from datetime import timedelta

from airflow.api.common.delete_dag import delete_dag
from airflow.utils.session import create_session
from sqlalchemy import text
from sqlalchemy.orm import Session

from automations_airflow.own_dags import PATTERN

HEARTBEAT_TIMEOUT = timedelta(seconds=60)
"""How old the last heartbeat of a part may be that is up."""
TABLES = ("automations_parked_run", "automations_job_process")

# A worker has no job, but each of its tasks a heartbeat.
_UP = text("""
SELECT DISTINCT job_type FROM job
WHERE state = 'running' AND latest_heartbeat > now() - :alive
UNION SELECT 'worker' FROM task_instance
WHERE state = 'running' AND last_heartbeat_at > now() - :alive AND dag_id ~ :ours
ORDER BY job_type
""")
_DAGS = text("SELECT dag_id, bundle_name FROM dag WHERE dag_id ~ :ours")
# Airflow deletes no DAG of which a task is running, or was when its worker was killed.
_END = text("UPDATE task_instance SET state = 'failed' WHERE state = 'running' AND dag_id ~ :ours")
_BUNDLE = text("""
DELETE FROM dag_bundle b
WHERE b.name = ANY (:names) AND NOT EXISTS (SELECT FROM dag d WHERE d.bundle_name = b.name)
""")


class AirflowIsUp(Exception):
    """What is taken away would be made again at once."""


def remove_all(session: Session) -> int:
    """Delete the DAGs of automations with their runs, our tables and the bundle's row.

    Airflow's audit log keeps its entries, and our own database is not touched.

    Returns:
        how many DAGs there were.

    Raises:
        AirflowIsUp: a part of this Airflow has sent a heartbeat just now.
    """
    up = session.scalars(_UP, {"alive": HEARTBEAT_TIMEOUT, "ours": PATTERN}).all()
    if up:
        raise AirflowIsUp(f"Take Airflow down first: these parts of it are up: {', '.join(up)}.")
    session.execute(_END, {"ours": PATTERN})
    dags = session.execute(_DAGS, {"ours": PATTERN}).all()
    for dag in dags:
        delete_dag(dag.dag_id, session=session)
    session.execute(_BUNDLE, {"names": list({dag.bundle_name for dag in dags})})
    for table in TABLES:
        session.execute(text(f"DROP TABLE IF EXISTS {table}"))
    return len(dags)


def main() -> int:
    """Leave, and say what was there; 1 when it cannot be done now."""
    try:
        with create_session() as session:
            count = remove_all(session)
    except AirflowIsUp as refused:
        print(f"automations: {refused}", file=sys.stderr)
        return 1
    print(
        f"{count} DAGs of automations are gone from Airflow. Now: pip uninstall airflow-automations"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
