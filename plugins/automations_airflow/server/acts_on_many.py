"""A route in Airflow's api-server that reports bulk actions on runs to the bridge.

Airflow's own API shows the entries of its audit log by the DAG that they name, and those of a list
of runs name "~": it shows them to nobody, and who has marked or cleared them would be unknown.
"""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models import Log
from fastapi import HTTPException, Query, status
from sqlalchemy import select

from automations.settings import get_settings
from automations_airflow.server.app_factory import Instant, new_app

app = new_app()

EVENTS = ("bulk_dag_runs", "bulk_task_instances", "clear_dag_runs")
"""What is done to several: no other entries are told of."""
_MOST = 200
"""Of the newest: who looks every other second misses none."""


@app.get("/all")
def entries(
    user: GetUserDep,
    session: SessionDep,
    after: Annotated[Instant | None, Query()] = None,
    before: Annotated[Instant | None, Query()] = None,
) -> list[dict[str, Any]]:
    """The entries of a time, the newest first, as Airflow's API would show them."""
    is_bridge = user.get_name() == get_settings().airflow_username
    if not is_bridge or not get_auth_manager().is_authorized_dag(
        method="GET", access_entity=DagAccessEntity.AUDIT_LOG, user=user
    ):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "This is for who may read the audit log.")
    query = select(Log).where(Log.dag_id == "~", Log.event.in_(EVENTS))
    if after is not None:
        query = query.where(Log.dttm > after)
    if before is not None:
        query = query.where(Log.dttm < before)
    return [
        {
            "event_log_id": log.id,
            "when": log.dttm,
            "event": log.event,
            "dag_id": log.dag_id,
            "run_id": log.run_id,
            "task_id": log.task_id,
            "owner": log.owner,
            "extra": log.extra,
        }
        for log in session.scalars(query.order_by(Log.id.desc()).limit(_MOST))
    ]
