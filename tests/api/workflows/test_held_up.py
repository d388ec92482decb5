"""Automations whose runs stand still in Airflow, as the API shows them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api_bridge import metrics
from automations.db.session import unit_of_work
from automations.db.workflows import held_up
from automations.domain.statuses import Hold
from automations.domain.workflows import HeldUp
from tests.api.conftest import Api

SHOWN = {
    "kind": "paused",
    "by": "anna",
    "since": "2026-03-01T09:00:00.000Z",
    "reason": "Its DAG was paused in Airflow by anna: runs wait until it is unpaused there.",
}


def paused(workflow: str) -> None:
    with unit_of_work() as session:
        since = datetime(2026, 3, 1, 9, tzinfo=UTC)
        held_up.put(session, workflow, HeldUp(Hold.PAUSED, "anna", since))


def test_what_is_paused_in_airflow_says_so_wherever_it_is_asked(api: Api) -> None:
    one, other = api.workflow()["id"], api.workflow()["id"]
    paused(one)
    assert api.call("GET", f"/api/workflows/{one}").json()["heldUp"] == SHOWN
    assert "heldUp" not in api.call("GET", f"/api/workflows/{other}").json()
    listed = {
        automation["id"]: automation for automation in api.call("GET", "/api/workflows").json()
    }
    assert (listed[one].get("heldUp"), listed[other].get("heldUp")) == (SHOWN, None)
    started = api.call("POST", f"/api/workflows/{one}/execute", {}).json()
    assert (started["status"], started["queued"], started["heldUp"]) == ("RUNNING", True, SHOWN)
    path = f"/api/workflows/{one}/runs/{started['runId']}"
    run = api.call("GET", path).json()["run"]
    assert (run["queued"], run["heldUp"]) == (True, SHOWN)
    assert "queued" not in api.call("POST", f"/api/workflows/{other}/execute", {}).json()


def test_what_was_read_while_it_was_paused_is_taken_back(api: Api) -> None:
    workflow = api.workflow()["id"]
    paused(workflow)
    read = api.call("GET", f"/api/workflows/{workflow}").json()
    with unit_of_work() as session:
        held_up.end(session, workflow, Hold.PAUSED)
    answer = api.call("PATCH", f"/api/workflows/{workflow}", {**read, "name": "Other"})
    assert (answer.json()["name"], "heldUp" in answer.json()) == ("Other", False)


def test_metrics_count_them(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "CACHE_TTL", -1.0)
    paused(api.workflow()["id"])
    text = metrics.Metrics().text("")[0].decode()
    assert 'automations_held_up{reason="paused"} 1.0' in text
    assert 'automations_held_up{reason="deleted"} 0.0' in text
