"""Flow control over HTTP: what may be written, how it is shown, and what callers are told."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from automations.db.session import unit_of_work
from automations.db.tables import Job, Run
from automations.ids import new_id
from tests.api.conftest import Api
from tests.api.test_workflows import errors

FORM_SUBMITTED = {"type": "event", "triggerType": "FORM_APPROVED"}


def test_what_is_written_is_shown_kept_in_versions_and_taken_away_by_null(api: Api) -> None:
    concurrency = {"limit": 2, "key": "{{submission.email}}", "policy": "skip"}
    handler = api.workflow()["id"]
    created = api.workflow(concurrency=concurrency, errorWorkflowId=handler)
    path = f"/api/workflows/{created['id']}"
    assert (created["concurrency"], created["errorWorkflowId"]) == (concurrency, handler)
    renamed = api.call("PATCH", path, {"name": "Other"}).json()
    assert renamed["concurrency"] == concurrency
    taken = api.call("PATCH", path, {"concurrency": None, "errorWorkflowId": None}).json()
    assert (taken["concurrency"], taken["errorWorkflowId"]) == (None, None)
    assert api.call("GET", path).json()["version"] == 3


@pytest.mark.parametrize(
    ("field", "value", "path", "message"),
    [
        ("concurrency", {"limit": 0}, "concurrency.limit", "greater than or equal to 1"),
        ("concurrency", {"limit": "2"}, "concurrency.limit", "valid integer"),
        ("concurrency", {}, "concurrency.limit", "is required"),
        ("concurrency", {"limit": 1, "zzz": 1}, "concurrency.zzz", "unknown field"),
        ("concurrency", {"limit": 1, "policy": "x"}, "concurrency.policy", "queue"),
        ("concurrency", {"limit": 1, "key": "{{steps.a.b}}"}, "concurrency.key", "'steps'"),
        ("concurrency", {"limit": 1, "key": "{{secret.A}}"}, "concurrency.key", "'secret'"),
        ("concurrency", {"limit": 1, "key": "{{"}, "concurrency.key", "not a valid template"),
        ("errorWorkflowId", "nope", "errorWorkflowId", "pattern"),
        ("errorWorkflowId", new_id(), "errorWorkflowId", "there is no automation"),
    ],
)
def test_a_refusal_names_the_field(
    api: Api, field: str, value: Any, path: str, message: str
) -> None:
    found = errors(api.call("POST", "/api/workflows", {"name": "x", field: value}))
    assert message in found[path][0]


def test_a_run_says_that_it_waits_for_its_turn(api: Api) -> None:
    workflow = api.workflow(concurrency={"limit": 1})["id"]
    run = api.call("POST", f"/api/workflows/{workflow}/execute").json()
    assert run["status"] == "RUNNING"
    path = f"/api/workflows/{workflow}/runs"
    detail = api.call("GET", f"{path}/{run['runId']}").json()["run"]
    assert (detail["queued"], detail["pause"]) == (True, None)
    with unit_of_work() as session:
        assert [job.kind for job in session.scalars(select(Job))] == ["admit_run"]
        session.execute(update(Run).values(slot="HELD"))
    assert api.call("GET", f"{path}/{run['runId']}").json()["run"]["queued"] is False
