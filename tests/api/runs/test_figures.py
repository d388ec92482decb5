"""Figures over the API: the numbers that the console's page has."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest

from automations.db.runs import runs
from automations.db.session import unit_of_work
from automations.db.tables import Run
from automations.domain.statuses import RunStatus
from tests.api.conftest import Api

STEP = {"id": "wait", "name": "Wait", "type": "delay", "config": {"duration": "PT1H"}}


def begun(api: Api, workflow: str, ended: RunStatus | None = None, seconds: int = 0) -> str:
    path = f"/api/workflows/{workflow}/execute"
    run_id = str(api.call("POST", path, {"input": {}}).json()["runId"])
    with unit_of_work() as session:
        if ended is not None:
            runs.end_run(session, run_id, ended, None)
            run = session.get_one(Run, run_id)
            session.refresh(run)
            assert run.completed_at is not None
            run.started_at = run.completed_at - timedelta(seconds=seconds)
    return run_id


def figures(api: Api, query: str = "", **more: Any) -> dict[str, Any]:
    answer = api.call("GET", f"/api/figures{query}", **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_runs_are_counted_by_status_part_and_automation(api: Api) -> None:
    one, other = (api.workflow(name=name, steps=[STEP])["id"] for name in ("One", "Other"))
    for seconds in (2, 4, 6):
        begun(api, one, RunStatus.COMPLETED, seconds)
    begun(api, one, RunStatus.FAILED)
    begun(api, other)
    report = figures(api, "?period=week", role="VIEWER")
    whole = report["runs"]
    counts = [whole[name] for name in ("total", "completed", "failed", "running", "success")]
    assert counts == [5, 3, 1, 1, 75]
    assert whole["seconds"]["p50"] == pytest.approx(4, abs=0.01)
    assert sum(part["total"] for part in report["parts"]) == 5
    assert len(report["parts"]) == 28
    assert [(row["name"], row["total"]) for row in report["automations"]] == [
        ("One", 4),
        ("Other", 1),
    ]
    assert (report["failing"][0]["workflowId"], report["failing"][0]["runs"]) == (one, 1)
    assert report["countedSince"] is None


def test_one_automation_has_figures_of_its_own(api: Api) -> None:
    one, other = (api.workflow(name=name, steps=[STEP])["id"] for name in ("One", "Other"))
    begun(api, one)
    assert figures(api, f"?workflowId={one}")["runs"]["total"] == 1
    assert figures(api, f"?workflowId={other}")["runs"]["total"] == 0
    assert api.call("GET", "/api/figures?workflowId=none").status_code == 404
    assert api.call("GET", f"/api/figures?workflowId={one}", role="STRANGER").status_code == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("period=decade", "period"),
        ("until=tomorrow", "until"),
        ("until=1999-01-01", "until"),
        ("until=", "until"),
    ],
)
def test_a_time_that_is_none_is_refused(api: Api, query: str, field: str) -> None:
    answer = api.call("GET", f"/api/figures?{query}")
    assert (answer.status_code, list(answer.json()["details"]["fieldErrors"])) == (400, [field])


def test_a_day_is_the_last_that_is_counted(api: Api) -> None:
    run_id = begun(api, api.workflow(steps=[STEP])["id"])
    with unit_of_work() as session:
        today = session.get_one(Run, run_id).started_at.astimezone(UTC).date()
    assert figures(api, f"?period=day&until={today}")["runs"]["total"] == 1
    before = figures(api, f"?period=day&until={today - timedelta(days=3)}")
    assert before["runs"]["total"] == 0
    assert before["until"] <= f"{today - timedelta(days=2)}T00:00:00.000Z"
