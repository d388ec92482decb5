"""The asset events that have started runs, so that Airflow shows them with the DagRun.

Who listens to Airflow's events is not told their ids, so that one is known by what was told of it.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.models.asset import AssetEvent, AssetModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from automations.ports import SourceEvent

_TIME_TOLERANCE = timedelta(minutes=1)
"""Before and after we have recorded it: two clocks, and a transaction that may take a while."""
_MAX_EVENTS = 100
"""Events of one task's run at most, of which more would be alike."""


def find(session: Session, source: SourceEvent) -> AssetEvent | None:
    """Airflow's event, the nearest in time of those that tell the same; None when it is gone."""
    query = (
        select(AssetEvent)
        .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        .where(
            AssetModel.name == source.name,
            AssetModel.uri == source.uri,
            AssetEvent.source_dag_id.is_not_distinct_from(source.dag_id),
            AssetEvent.source_task_id.is_not_distinct_from(source.task_id),
            AssetEvent.source_run_id.is_not_distinct_from(source.run_id),
            AssetEvent.timestamp.between(source.at - _TIME_TOLERANCE, source.at + _TIME_TOLERANCE),
        )
        .order_by(AssetEvent.timestamp.desc())
        .limit(_MAX_EVENTS)
    )
    alike = (event for event in session.scalars(query) if event.extra == source.extra)
    return min(alike, key=lambda event: abs(event.timestamp - source.at), default=None)
