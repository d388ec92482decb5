"""What is done to several runs at once in Airflow's UI, as the bridge is told of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models import Log
from airflow.models.dag import DagModel
from airflow.sdk import DAG, BaseOperator
from airflow.utils.session import create_session
from sqlalchemy import delete, update

from api_bridge.airflow.audit_log import OF_MANY
from api_bridge.airflow.client import AirflowClient
from automations.ports import ActionKind, DagRunFailure, NewDagRun, UserAction
from automations_airflow.server.acts_on_many import EVENTS
from tests.airflow.parsing import written

ROUTE = "/automations/acts/all"
DAG_ID = "etl_of_many"


def asked(address: str, name: str, method: str, path: str, body: Any = None) -> requests.Response:
    user = SimpleAuthManagerUser(username=name, role="ADMIN" if name == "bridge" else "USER")
    token = {"Authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"}
    return requests.request(method, f"{address}{path}", json=body, headers=token, timeout=60)


@pytest.fixture
def runs(client: AirflowClient) -> list[dict[str, str]]:
    """Two runs, as Airflow's UI names them."""
    with DAG(DAG_ID) as dag:
        BaseOperator(task_id="load")
    written(dag)
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=False))
        session.execute(delete(Log))
    for run in ("r1", "r2"):
        client.trigger(NewDagRun(DAG_ID, run, {}))
    return [{"dag_id": DAG_ID, "dag_run_id": run} for run in ("r1", "r2")]


def acts(client: AirflowClient) -> list[UserAction]:
    now = datetime.now(UTC)
    return client.user_actions(now - timedelta(hours=1), now + timedelta(hours=1), 0, 100)[0]


def test_who_has_marked_several_runs_and_cleared_them_is_known(
    client: AirflowClient, airflow_url: str, runs: list[dict[str, str]]
) -> None:
    entities = [{**run, "state": "failed", "note": "no budget"} for run in runs]
    actions = {"actions": [{"action": "update", "entities": entities}]}
    marked = asked(airflow_url, "ulla", "PATCH", "/api/v2/dags/~/dagRuns", actions)
    assert marked.ok, marked.text
    told = [(act.by, act.kind, act.run_id, act.state, act.note) for act in acts(client)]
    assert told == [("ulla", ActionKind.MARK, run, "failed", "no budget") for run in ("r1", "r2")]
    failure = client.failure(DAG_ID, "r1")
    assert (failure.marked_by, failure.note) == ("ulla", "no budget")
    clear = {"dag_runs": runs, "dry_run": True}
    shown = asked(airflow_url, "ulla", "POST", "/api/v2/dags/~/clearDagRuns", clear)
    assert shown.ok, shown.text
    assert len(acts(client)) == 2
    cleared = asked(
        airflow_url, "ulla", "POST", "/api/v2/dags/~/clearDagRuns", {**clear, "dry_run": False}
    )
    assert cleared.ok, cleared.text
    clears = [act for act in acts(client) if act.kind == ActionKind.CLEAR]
    assert [(act.by, act.run_id) for act in clears] == [("ulla", "r1"), ("ulla", "r2")]
    # It does not fail any more by what was marked before.
    assert client.failure(DAG_ID, "r1").marked_by is None


def test_they_are_told_to_the_bridge_alone(
    client: AirflowClient, airflow_url: str, runs: list[dict[str, str]]
) -> None:
    assert asked(airflow_url, "bridge", "GET", ROUTE).json() == []
    assert asked(airflow_url, "ulla", "GET", ROUTE).status_code == 403
    assert requests.get(f"{airflow_url}{ROUTE}", timeout=60).status_code == 401
    client.http.token = asked_token("ulla")
    assert client.failure(DAG_ID, "r1") == DagRunFailure()


def asked_token(name: str) -> str:
    return str(get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role="VIEWER")))


def test_both_sides_mean_the_same() -> None:
    assert set(EVENTS) == set(OF_MANY)
