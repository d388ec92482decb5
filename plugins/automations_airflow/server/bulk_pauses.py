"""Logs in Airflow's audit log which automations somebody pauses together with other DAGs.

Airflow itself notes the pattern by which they were found, and of no DAG that it was among them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models import DagModel, Log
from sqlalchemy import select
from sqlalchemy.orm import Session

from automations_airflow.own_dags import is_own


def log_pauses(session: SessionDep, user: GetUserDep) -> Iterator[None]:
    """Log it of each DAG of ours that a route changes, as Airflow logs it of one alone."""
    before = _paused(session)
    yield
    for dag_id, is_paused in _paused(session).items():
        if before.get(dag_id) != is_paused:
            entry = Log(
                event="patch_dag",
                task_instance=None,
                owner=user.get_name(),
                owner_display_name=user.get_name(),
                dag_id=dag_id,
                extra=json.dumps({"is_paused": is_paused, "method": "PATCH"}),
            )
            session.add(entry)


def _paused(session: Session) -> dict[str, bool]:
    """Which DAGs of ours are paused, and which are not."""
    rows = session.execute(select(DagModel.dag_id, DagModel.is_paused))
    return {row.dag_id: row.is_paused for row in rows if is_own(row.dag_id)}
