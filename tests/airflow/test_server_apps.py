"""What the plugin's routes in Airflow's api-server cannot take, they refuse in words."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.sdk import DAG
from starlette.testclient import TestClient

from automations_airflow.dags.dag_builder import UNLIMITED
from tests.airflow.definitions import email, published
from tests.airflow.parsing import parse, written
from tests.environment import Environment

pytestmark = pytest.mark.usefixtures("airflow")

BATCHES, READ, ACTS, OPEN = (
    f"/automations/{path}"
    for path in ("batches/runs", "connections/read", "acts/all", "console/open")
)
RUN: dict[str, Any] = {"dag_id": "a", "run_id": "b", "conf": {}}


def sent(server: TestClient, path: str, body: Any) -> Any:
    """The answer to JSON that may hold what no text can be encoded of."""
    return server.post(path, content=json.dumps(body), headers=headers())


def headers(name: str = "bridge") -> dict[str, str]:
    user = SimpleAuthManagerUser(username=name, role="ADMIN")
    token = get_auth_manager().generate_jwt(user)
    return {"authorization": f"Bearer {token}", "content-type": "application/json"}


@pytest.mark.parametrize(
    "change",
    [
        {"dag_id": ""},
        {"dag_id": "a\0"},
        {"dag_id": "\ud800"},
        {"run_id": "a\0b"},
        {"run_id": "x" * 251},
        {"conf": {"a": ["\0"]}},
        {"conf": {"\ud800": 1}},
        {"conf": {"a": float("nan")}},
        {"conf": []},
        {"note": "\0"},
        {"by": "\udfff"},
        {"before": {"version": float("inf")}},
    ],
)
def test_a_run_that_cannot_be_kept_is_refused(server: TestClient, change: dict[str, Any]) -> None:
    answer = sent(server, BATCHES, {"runs": [{**RUN, **change}]})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:4] == ["body", "runs", 0, *change]


@pytest.mark.parametrize("name", ["", "a\0", "\ud800", "x" * 251, None])
def test_a_connection_that_has_no_such_name_is_refused(server: TestClient, name: Any) -> None:
    answer = sent(server, READ, {"id": name})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "id"])


@pytest.mark.parametrize(
    "at",
    [
        *("2026-01-01T00:00:00", "2026-01-01", "x", ""),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_a_time_that_is_no_moment_is_refused(server: TestClient, at: str) -> None:
    answer = server.get(ACTS, params={"after": at}, headers=headers())
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", "after"])


def test_a_browser_is_shown_no_number_where_there_is_no_limit_of_runs(server: TestClient) -> None:
    """As its JavaScript reads it; a client with a token is told what the scheduler goes by."""
    ours = parse(published(email("a")))
    theirs = written(DAG("etl_of_theirs", max_active_runs=UNLIMITED))
    token = headers("ada")["authorization"].removeprefix("Bearer ")

    def limit(dag: str, **of: Any) -> Any:
        return server.get(f"/api/v2/dags/{dag}/details", **of).json()["max_active_runs"]

    assert limit(ours, headers=headers("ada")) == UNLIMITED
    server.cookies.set("_token", token)
    try:
        assert limit(ours) == math.inf
        assert limit(theirs) == UNLIMITED
    finally:
        server.cookies.clear()


def test_a_server_without_the_key_says_which_setting_it_lacks(
    server: TestClient, environment: Environment, tmp_path: Path
) -> None:
    environment.set(AUTOMATIONS_ENCRYPTION_KEY=None, AUTOMATIONS_HOME=str(tmp_path))
    answer = server.get(OPEN, headers=headers("ada"), follow_redirects=False)
    assert answer.status_code == 503
    assert "AUTOMATIONS_ENCRYPTION_KEY" in answer.json()["detail"]
