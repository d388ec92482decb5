"""The list of operators that steps may run: those that Airflow has and the workspace may."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.airflow.airflow_server import Airflow
from tests.api.conftest import Api
from tests.environment import Environment

LISTED = "/automations/operators/all"


def listed(path: str) -> dict[str, Any]:
    parameter = {"name": "sql", "required": True, "default": None, "annotation": "str"}
    return {"operator": path, "description": "Does it.", "parameters": [parameter]}


@pytest.fixture
def airflow(environment: Environment) -> Iterator[Airflow]:
    server = Airflow()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    environment.set(
        AUTOMATIONS_AIRFLOW_URL=f"http://127.0.0.1:{server.server_port}",
        AUTOMATIONS_OPERATOR_ALLOW="a.*, other/b.*",
    )
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_each_workspace_sees_what_it_may_run(api: Api, airflow: Airflow) -> None:
    airflow.answers["GET", LISTED] = (200, [listed("a.One"), listed("b.Two")])
    assert api.call("GET", "/api/operators", role="VIEWER").json() == [listed("a.One")]
    both = api.call("GET", "/api/operators", role="STRANGER").json()
    assert [operator["operator"] for operator in both] == ["a.One", "b.Two"]


def test_an_airflow_that_lists_none_is_said(api: Api, airflow: Airflow) -> None:
    answer = api.call("GET", "/api/operators")
    assert answer.status_code == 503
    assert "Airflow refuses /automations/operators/all: 404" in answer.text


def test_where_none_may_be_run_airflow_is_not_asked(
    api: Api, airflow: Airflow, environment: Environment
) -> None:
    environment.set(AUTOMATIONS_OPERATOR_ALLOW=None)
    assert api.call("GET", "/api/operators").json() == []
    assert airflow.asked == []


def test_an_automation_with_one_that_may_not_be_run_is_not_activated(
    api: Api, airflow: Airflow
) -> None:
    config = {"operator": "b.Two", "arguments": {}}
    step = {"name": "Run", "type": "airflow_operator", "order": 0, "config": config}
    body = {"name": "x", "status": "ACTIVE", "steps": [step]}
    refused = api.call("POST", "/api/workflows", body)
    assert refused.status_code in (400, 422)
    assert "AUTOMATIONS_OPERATOR_ALLOW" in refused.text
    assert api.call("POST", "/api/workflows", {**body, "status": "DRAFT"}).status_code == 201
