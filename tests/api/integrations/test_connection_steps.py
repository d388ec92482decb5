"""Automations whose steps use connections of Airflow's: only those that the workspace may use."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api
from tests.environment import Environment

USES: list[tuple[str, dict[str, Any]]] = [
    ("email", {"to": "ada@b.example", "subject": "Hi", "body": "Hello"}),
    ("slack", {"text": "Hi", "channel": "C1"}),
    ("http_request", {"url": "/customers"}),
    ("ai", {"prompt": "Hi"}),
]


@pytest.fixture(autouse=True)
def allowed(environment: Environment) -> None:
    environment.set(AUTOMATIONS_CONNECTION_ALLOW="house_*,other/acme_*")


def body(kind: str, config: dict[str, Any], conn_id: str) -> dict[str, Any]:
    step = {"name": "Use", "type": kind, "order": 0, "config": {**config, "connId": conn_id}}
    return {"name": "x", "status": "ACTIVE", "steps": [step]}


@pytest.mark.parametrize(("kind", "config"), USES)
def test_an_automation_with_one_that_may_not_be_used_is_not_activated(
    api: Api, kind: str, config: dict[str, Any]
) -> None:
    for other in ("airflow_db", "acme_crm"):
        refused = api.call("POST", "/api/workflows", body(kind, config, other))
        assert refused.status_code in (400, 422)
        assert f"Connection {other} may not be used from here" in refused.text
        draft = {**body(kind, config, other), "status": "DRAFT"}
        assert api.call("POST", "/api/workflows", draft).status_code == 201
    for mine in ("house_crm", "{{input.which}}"):
        made = api.call("POST", "/api/workflows", body(kind, config, mine))
        assert made.status_code == 201, made.text


def test_which_one_a_template_names_is_looked_at_when_the_step_is_tried(api: Api) -> None:
    given = body("http_request", {"url": "/customers"}, "{{input.which}}")
    made = api.call("POST", "/api/workflows", given).json()
    test = f"/api/workflows/{made['id']}/steps/{made['steps'][0]['id']}/test"
    tried = api.call("POST", test, {"input": {"which": "airflow_db"}}).json()
    assert tried["error"]["kind"] == "config"
    assert "AUTOMATIONS_CONNECTION_ALLOW names it not" in tried["error"]["message"]
