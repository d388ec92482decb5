"""Automations among the consumers of assets, and the events that have started their runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.models.asset import AssetDagRunQueue
from airflow.sdk import DAG, Asset, BaseOperator
from airflow.utils.session import create_session
from sqlalchemy import Connection, Engine, func, select, text

from api_bridge.airflow.client import AirflowClient
from automations.definitions.published import dag_id
from automations.ports import NewDagRun, SourceEvent
from automations.services.events.assets import Listening
from automations_airflow.scheduler.asset_consumers import AssetConsumers
from tests.airflow.definitions import email, published, workflow_id
from tests.airflow.parsing import parse, written

OURS = dag_id(workflow_id(0))
URI = "s3://bucket/orders"


@pytest.fixture
def connection(database: str, airflow_database: Engine) -> Iterator[Connection]:
    """Airflow's database, with another team's DAG that has an asset, and an automation."""
    with DAG("orders", schedule=None) as dag:
        BaseOperator(task_id="load", outlets=[Asset("orders", URI), Asset("other")])
    written(dag)
    assert parse(published(email("a"), email("b", 1))) == OURS
    with airflow_database.connect() as connection:
        yield connection
        connection.execute(text("TRUNCATE asset, asset_event CASCADE"))


def consumers(connection: Connection) -> list[tuple[Any, ...]]:
    query = (
        "SELECT asset.name, had.dag_id, had.task_id FROM task_inlet_asset_reference had"
        " JOIN asset ON asset.id = had.asset_id ORDER BY 1"
    )
    return [tuple(row) for row in connection.execute(text(query))]


@pytest.mark.parametrize("named", ["orders", URI])
def test_who_listens_to_an_asset_is_among_its_consumers_as_long_as_they_do(
    connection: Connection, airflow_database: Engine, named: str
) -> None:
    listening = [Listening(OURS, "a", named), Listening(OURS, "a", "com.example.no.asset")]
    follows = AssetConsumers(airflow_database, lambda: listening)
    for _ in range(2):
        follows.look(connection)
    assert consumers(connection) == [("orders", OURS, "a")]
    listening.clear()
    follows.look(connection)
    assert consumers(connection) == []


def test_consumers_of_others_are_left_and_nothing_is_started(
    connection: Connection, airflow_database: Engine, client: AirflowClient
) -> None:
    with DAG("theirs", schedule=None) as dag:
        BaseOperator(task_id="read", inlets=[Asset("orders", URI)])
    written(dag)
    follows = AssetConsumers(airflow_database, lambda: [Listening(OURS, "a", "other")])
    follows.look(connection)
    assert consumers(connection) == [("orders", "theirs", "read"), ("other", OURS, "a")]
    client.change_asset(client.assets("other")["other"], {})
    with create_session() as session:
        assert session.scalar(select(func.count()).select_from(AssetDagRunQueue)) == 0


def source(extra: dict[str, Any], **more: Any) -> SourceEvent:
    given = {"name": "orders", "uri": URI, "extra": extra, "at": datetime.now(UTC)}
    return SourceEvent(**{**given, "dag_id": None, "task_id": None, "run_id": None, **more})


@pytest.mark.parametrize("number", [1, 2])
def test_a_run_is_shown_with_the_event_that_has_started_it(
    connection: Connection, client: AirflowClient, number: int
) -> None:
    asset = client.assets(URI)[URI]
    for rows in (1, 2, 3):
        client.change_asset(asset, {"rows": rows})
    told = {"rows": 2, "from_rest_api": True}
    runs = [
        NewDagRun(OURS, f"run{index}", {}, by="ada", source=source(told)) for index in range(number)
    ]
    assert client.start(runs) == [None] * number
    for run in runs:
        path = f"/dags/{OURS}/dagRuns/{run.run_id}"
        # As the scheduler does; Airflow shows no event of a run that has not begun.
        connection.execute(text("UPDATE dag_run SET start_date = now()"))
        shown = client.http.call("GET", path) or {}
        assert (shown["run_type"], shown["triggering_user_name"]) == ("asset_triggered", "ada")
        (event,) = (client.http.call("GET", f"{path}/upstreamAssetEvents") or {})["asset_events"]
        assert (event["uri"], event["extra"]) == (URI, told)


@pytest.mark.parametrize(
    "gone",
    [{"name": "renamed"}, {"at": datetime.now(UTC) - timedelta(days=1)}, {"dag_id": "orders"}],
)
def test_one_whose_event_is_gone_is_a_run_like_others(
    connection: Connection, client: AirflowClient, gone: dict[str, Any]
) -> None:
    client.change_asset(client.assets(URI)[URI], {"rows": 1})
    told = source({"rows": 1, "from_rest_api": True}, **gone)
    assert client.start([NewDagRun(OURS, "run", {}, source=told)]) == [None]
    shown = client.http.call("GET", f"/dags/{OURS}/dagRuns/run") or {}
    assert shown["run_type"] == "manual"
