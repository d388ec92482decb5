"""Runs by each trigger on the real stack."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import requests

from tests.e2e.automations import first_run
from tests.e2e.conftest import Stack
from tests.e2e.subjects import BOARD, FORM
from tests.waiting import until

SECRET = "hook-secret-1"


def tell(address: str) -> dict[str, Any]:
    config = {"to": address, "subject": "Hi", "body": "{{trigger.type}}"}
    return {"name": "Tell", "type": "email", "order": 0, "config": config}


def test_a_signed_webhook_starts_one_run_and_may_wait_for_its_result(stack: Stack) -> None:
    stack.api("PUT", "/api/secrets/HOOK", {"value": SECRET})
    trigger = {
        "type": "webhook",
        "config": {
            "verification": "github",
            "secret": "{{secret.HOOK}}",
            "respond": "result",
            "respondTimeout": "PT30S",
        },
    }
    workflow = stack.create(tell("hook@example.com"), trigger=trigger)
    url = stack.api("GET", f"/api/workflows/{workflow}")["webhookUrl"]
    body = json.dumps({"action": "opened"}).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Hub-Signature-256": f"sha256={signature}",
        "X-GitHub-Delivery": "d1",
    }
    wrong = {**headers, "X-Hub-Signature-256": "sha256=00"}
    assert requests.post(url, data=body, headers=wrong, timeout=60).status_code == 401

    def result() -> dict[str, Any] | None:
        answer = requests.post(url, data=body, headers=headers, timeout=60)
        # On a busy machine it may take longer than a sender waits, who asks again then.
        return None if answer.status_code == 202 else answer.json()

    told = until("its result", result)
    assert told["status"] == "COMPLETED", told
    assert requests.post(url, data=body, headers=headers, timeout=60).json()["duplicate"] is True
    runs = stack.api("GET", f"/api/workflows/{workflow}/runs")
    assert runs["pagination"]["total"] == 1
    assert len(stack.mails("hook@example.com")) == 1


def test_a_schedule_fires_as_previewed_and_shows_in_airflow(stack: Stack) -> None:
    trigger = {"type": "schedule", "config": {"cron": "* * * * *", "timezone": "Europe/Warsaw"}}
    workflow = stack.create(tell("clock@example.com"), trigger=trigger)
    preview = stack.api("GET", f"/api/workflows/{workflow}/schedule?count=2")
    assert len(preview["next"]) == 2
    run = first_run(stack, workflow, 300)
    done = stack.wait(workflow, run, "COMPLETED")
    assert done["state"]["variables"]["triggerType"] == "scheduled"
    assert stack.in_airflow("GET", f"/dags/automation_{workflow}")["timetable_summary"]
    stack.api("PATCH", f"/api/workflows/{workflow}", {"status": "PAUSED"})


def test_a_backfill_in_airflow_runs_the_schedule_for_times_that_are_past(stack: Stack) -> None:
    ask = {"name": "Ask", "type": "approval", "order": 0, "config": {"message": "OK?"}}
    due = {"code": "return input", "input": {"due": "{{trigger.scheduledFor}}"}}
    say = {"name": "Say", "type": "code", "order": 1, "config": due}
    trigger = {"type": "schedule", "config": {"cron": "0 0 1 * *"}}
    workflow = stack.create(ask, say, trigger=trigger)
    dag = f"automation_{workflow}"

    def parsed() -> bool | None:
        return bool(stack.in_airflow("GET", f"/dags?dag_id_pattern={dag}")["dags"]) or None

    until("the DAG", parsed)
    stretch = {
        "dag_id": dag,
        "from_date": "2026-01-01T00:00:00Z",
        "to_date": "2026-02-15T00:00:00Z",
    }
    dates = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]
    shown = stack.in_airflow("POST", "/backfills/dry_run", stretch)["backfills"]
    assert [dag_run["logical_date"] for dag_run in shown] == dates
    stack.in_airflow("POST", "/backfills", stretch)

    def waiting() -> list[dict[str, Any]] | None:
        runs = stack.api("GET", f"/api/workflows/{workflow}/runs?triggerType=schedule")["runs"]
        return runs if [run["status"] for run in runs] == ["PAUSED"] * 2 else None

    said = []
    for run in until("both runs to wait", waiting):
        # Answered here, and told to Airflow, which knows it by an id of another form.
        stack.api("POST", f"/api/workflows/runs/{run['id']}/resume", {"decision": "approved"})
        state = stack.wait(workflow, run["id"], "COMPLETED")["state"]
        assert state["variables"]["triggerType"] == "scheduled"
        said.append(state["stepOutputs"][state["completedNodeIds"][-1]]["due"])
    assert sorted(said) == [date.replace("Z", ".000Z") for date in dates]


def test_decisions_on_matters_and_forms_start_automations(stack: Stack) -> None:
    form = stack.api("POST", "/api/forms", FORM, expect=201)["id"]
    board = stack.api("POST", "/api/matter-templates", BOARD, expect=201)["id"]
    started = {
        kind: stack.create(
            tell(f"{kind.lower()}@example.com"),
            trigger={"type": "event", "config": {"triggerType": kind, name: subject}},
        )
        for kind, name, subject in (
            ("FORM_APPROVED", "filterFormId", form),
            ("FORM_REJECTED", "filterFormId", form),
            ("MATTER_STEP_COMPLETED", "filterMatterTemplateId", board),
            ("MATTER_STEP_REJECTED", "filterMatterTemplateId", board),
        )
    }
    for decision in ("approve", "reject"):
        body = {"formId": form, "data": {"size": 1}}
        submission = stack.api("POST", "/api/submissions", body, expect=201)["id"]
        stack.api("POST", f"/api/submissions/{submission}/{decision}")
        made = stack.api("POST", "/api/matters", {"templateId": board, "title": "M"}, expect=201)
        verb = "complete" if decision == "approve" else "reject"
        stack.api("POST", f"/api/matters/{made['id']}/steps/{made['steps'][0]['id']}/{verb}")
    for kind, workflow in started.items():
        stack.wait(workflow, first_run(stack, workflow), "COMPLETED")
        assert len(stack.mails(f"{kind.lower()}@example.com")) == 1


def test_a_cloud_event_starts_who_listens_to_its_name(stack: Stack) -> None:
    trigger = {"type": "event", "config": {"triggerType": "com.example.paid"}}
    workflow = stack.create(tell("paid@example.com"), trigger=trigger)
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "shop",
        "type": "com.example.paid",
        "data": {"amount": 5},
    }
    taken = [stack.client.events.send(event) for _ in range(2)]
    assert [receipt["duplicate"] for receipt in taken] == [False, True]
    stack.wait(workflow, first_run(stack, workflow), "COMPLETED")
    assert len(stack.mails("paid@example.com")) == 1
