"""DAGs of others that are scheduled on what is here, in a real Airflow's server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy
from airflow.models.asset import AssetDagRunQueue, AssetEvent
from airflow.models.dag import DagModel
from airflow.sdk import DAG, Asset, BaseOperator
from airflow.utils.session import create_session
from sqlalchemy import select, text, update

from api_bridge.airflow.client import AirflowClient
from automations.domain import assets
from tests.airflow.parsing import written

WAITED = assets.workflow("c000000000000000000000001")


@pytest.fixture
def report(airflow_database: sqlalchemy.Engine) -> Iterator[str]:
    """A DAG that somebody else has written, which runs when an automation has completed."""
    with DAG("report", schedule=[Asset(WAITED), Asset("s3://bucket/else")]) as dag:
        BaseOperator(task_id="write")
    written(dag)
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=False))
    yield "report"
    with airflow_database.connect() as connection:
        connection.execute(text("TRUNCATE asset, asset_event CASCADE"))


def test_what_dags_wait_for_is_found_and_they_are_told(client: AirflowClient, report: str) -> None:
    found = client.assets(assets.SCHEME)
    assert list(found) == [WAITED]
    client.change_asset(found[WAITED], {"runs": 2})
    with create_session() as session:
        event = session.scalars(select(AssetEvent)).one()
        assert event.extra["runs"] == 2
        (queued,) = session.scalars(select(AssetDagRunQueue)).all()
        assert queued.target_dag_id == report


def test_an_asset_that_is_gone_is_nobodys(client: AirflowClient, report: str) -> None:
    client.change_asset(max(client.assets(assets.SCHEME).values()) + 1_000, {})
