"""Flow control over HTTP: what may be written, how it is shown, and what callers are told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from automations.db.session import unit_of_work
from automations.db.tables import Job, Run
from tests.api.answers import errors
from tests.api.conftest import Api

NOBODYS = "c" + "0" * 24
FORM_APPROVED = {"type": "event", "triggerType": "FORM_APPROVED"}


def test_what_is_written_is_shown_kept_in_versions_and_taken_away_by_null(api: Api) -> None:
    written = {
        "concurrency": {"limit": 2, "key": "{{submission.email}}", "policy": "skip"},
        "rateLimit": {"limit": 10, "per": "PT1M", "key": "{{trigger.who}}"},
        "debounce": {"delay": "PT30S", "key": "{{formId}}", "maxWait": "PT5M"},
        "errorWorkflowId": api.workflow()["id"],
    }
    created = api.workflow(trigger=FORM_APPROVED, **written)
    path = f"/api/workflows/{created['id']}"
    renamed = api.call("PATCH", path, {"name": "Other"}).json()
    (listed,) = (
        automation
        for automation in api.call("GET", "/api/workflows").json()
        if automation["name"] == "Other"
    )
    for shown in (created, renamed, listed, api.call("GET", path).json()):
        assert written.items() <= shown.items()
    taken = api.call("PATCH", path, dict.fromkeys(written)).json()
    assert dict.fromkeys(written).items() <= taken.items()
    assert api.call("GET", path).json()["version"] == 3


@pytest.mark.parametrize(
    ("field", "value", "path", "message"),
    [
        ("concurrency", {"limit": 0}, "concurrency.limit", "greater than or equal to 1"),
        ("concurrency", {"limit": "2"}, "concurrency.limit", "whole number"),
        ("concurrency", {}, "concurrency.limit", "is required"),
        ("concurrency", {"limit": 1, "zzz": 1}, "concurrency.zzz", "unknown field"),
        ("concurrency", {"limit": 1, "policy": "x"}, "concurrency.policy", "queue"),
        ("concurrency", {"limit": 1, "key": "{{steps.a.b}}"}, "concurrency.key", "'steps'"),
        ("concurrency", {"limit": 1, "key": "{{secret.A}}"}, "concurrency.key", "'secret'"),
        ("concurrency", {"limit": 1, "key": "{{"}, "concurrency.key", "not a valid template"),
        ("rateLimit", {"limit": 1}, "rateLimit.per", "is required"),
        ("rateLimit", {"limit": 1, "per": "1m"}, "rateLimit.per", "ISO 8601"),
        ("rateLimit", {"limit": 1, "per": "PT0S"}, "rateLimit.per", "longer than zero"),
        ("rateLimit", {"limit": 1, "per": "{{input.a}}"}, "rateLimit.per", "ISO 8601"),
        ("rateLimit", {"limit": 1, "per": "P1D", "key": "{{now}}"}, "rateLimit.key", "'now'"),
        ("debounce", {"delay": "P32D"}, "debounce.delay", "P31D at most"),
        ("debounce", {"delay": "PT2S", "maxWait": "PT1S"}, "debounce.maxWait", "shorter"),
        ("debounce", {"delay": "PT2S", "key": "{{x}}"}, "debounce.key", "'x'"),
        ("errorWorkflowId", "nope", "errorWorkflowId", "an id"),
        ("errorWorkflowId", NOBODYS, "errorWorkflowId", "there is no automation"),
    ],
)
def test_a_refusal_names_the_field(
    api: Api, field: str, value: Any, path: str, message: str
) -> None:
    body = {"name": "x", "trigger": FORM_APPROVED, field: value}
    field_errors = errors(api.call("POST", "/api/workflows", body))
    assert message in field_errors[path][0]


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        ({"type": "manual"}, "needs a trigger by events"),
        ({"type": "schedule", "interval": "PT1H"}, "not 'schedule'"),
        ({"type": "webhook", "verification": "none", "respond": "result"}, "respond 'result'"),
    ],
)
def test_debounce_needs_events_that_nobody_waits_for(
    api: Api, trigger: dict[str, str], message: str
) -> None:
    body = {"name": "x", "trigger": trigger, "debounce": {"delay": "PT1S"}}
    assert message in errors(api.call("POST", "/api/workflows", body))["debounce"][0]


def test_who_executes_too_often_is_told_when_to_come_back(api: Api) -> None:
    workflow = api.workflow(rateLimit={"limit": 1, "per": "PT1H"})["id"]
    path = f"/api/workflows/{workflow}/execute"
    first = api.call("POST", path)
    again = api.call("POST", path, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (200, 429)
    assert 3_590 <= int(again.headers["retry-after"]) <= 3_600
    assert again.json()["error"].startswith("The automation may start 1 run per PT1H; try again")
    assert (again.json()["code"], first.json()["status"]) == ("RATE_LIMITED", "RUNNING")
    with unit_of_work() as session:
        session.execute(update(Run).values(started_at=Run.started_at - timedelta(hours=2)))
    assert api.call("POST", path, headers={"Idempotency-Key": "k"}).status_code == 200


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
