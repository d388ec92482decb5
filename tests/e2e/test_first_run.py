"""From a POST to a finished Airflow run, and everything people may do to it meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

import psutil
import pytest
import requests

from automations.execution.deaths import MAX_DEATHS
from automations.kit.ids import PATTERN
from automations.launcher.demo import WELCOME_FORM, welcome
from tests.e2e.automations import approval, delay, email, outputs, required_action
from tests.e2e.conftest import Stack
from tests.e2e.in_airflow import held, tasks
from tests.waiting import until


def test_the_specifications_example_sends_its_mail(stack: Stack) -> None:
    form = stack.api("POST", "/api/forms", WELCOME_FORM, expect=201)
    created = stack.api("POST", "/api/workflows", welcome(form["id"]), expect=201)
    body = {"formId": form["id"], "data": {"name": "Ada", "email": "ada.first@example.com"}}
    stack.api("POST", "/api/submissions", body, expect=201)

    def first_run() -> str | None:
        runs = stack.api("GET", f"/api/workflows/{created['id']}/runs")["runs"]
        return runs[0]["id"] if runs else None

    run_id = until("the run", first_run)
    run = stack.wait(created["id"], run_id, "COMPLETED")
    assert re.fullmatch(PATTERN, run_id)
    assert run["state"]["pendingNodeIds"] == []
    assert run["state"]["completedNodeIds"] == [created["steps"][0]["id"]]
    (mail,) = stack.mails("ada.first@example.com")
    assert (mail["subject"], mail["text"].strip()) == ("Welcome!", "Thank you for signing up.")
    (output,) = outputs(run).values()
    assert output["accepted"] == ["ada.first@example.com"]
    assert output["messageId"] == mail["messageId"]


def test_an_approver_decides_by_the_link_once(stack: Stack) -> None:
    workflow = stack.create(
        approval(approvers=["link@example.com"]), email("Tell", 1, "b@c.example")
    )
    run = stack.execute(workflow)
    paused = stack.wait(workflow, run, "PAUSED")
    assert paused["pause"]["kind"] == "decision"
    mail = until("the link", lambda: next(iter(stack.mails("link@example.com")), None))
    link = re.search(r"http://\S+/callback/\S+", mail["text"])
    assert link is not None
    page = requests.get(link.group(0), timeout=60)
    assert page.status_code == 200
    assert "noindex" in page.headers["X-Robots-Tag"]
    assert stack.run(workflow, run)["status"] == "PAUSED"
    form = {"decision": "approved", "reason": "fine"}
    assert requests.post(link.group(0), data=form, timeout=60).status_code == 200
    done = stack.wait(workflow, run, "COMPLETED")
    assert outputs(done)["Ask"]["decidedBy"] == "link@example.com"
    assert outputs(done)["Ask"]["reason"] == "fine"
    assert requests.post(link.group(0), data=form, timeout=60).status_code == 410
    assert requests.get(link.group(0)[:-3] + "xyz", timeout=60).status_code == 404


def test_an_answer_in_airflows_required_actions_comes_out_the_same(stack: Stack) -> None:
    workflow = stack.create(approval(), email("Tell", 1, "required@example.com"))
    run = stack.execute(workflow)
    task = required_action(stack, workflow, run)["task_instance"]["task_id"]
    path = f"/dags/automation_{workflow}/dagRuns/{run}/taskInstances/{task}/-1/hitlDetails"
    stack.in_airflow("PATCH", path, {"chosen_options": ["Approve"], "params_input": {}})
    done = stack.wait(workflow, run, "COMPLETED")
    assert outputs(done)["Ask"]["decision"] == "approved"
    assert outputs(done)["Ask"]["decidedBy"].startswith("airflow:")
    assert len(stack.mails("required@example.com")) == 1


def test_an_answer_that_is_refused_in_airflow_is_asked_for_once_more_with_the_reason(
    stack: Stack,
) -> None:
    amount = {"id": "a", "key": "amount", "type": "number", "validation": {"max": 100}}
    form = {"sections": [{"id": "s", "fields": [amount]}]}
    workflow = stack.create(approval(form=form))
    run = stack.execute(workflow)
    task = required_action(stack, workflow, run)["task_instance"]["task_id"]
    path = f"/dags/automation_{workflow}/dagRuns/{run}/taskInstances/{task}/-1/hitlDetails"
    too_much = {"chosen_options": ["Approve"], "params_input": {"amount": 101}}
    stack.in_airflow("PATCH", path, too_much)

    def says_why() -> bool | None:
        return (
            "admin: data.amount must be 100 or less" in stack.in_airflow("GET", path)["body"]
            or None
        )

    until("the reason", says_why)
    stack.api("POST", f"/api/workflows/runs/{run}/resume", {"decision": "approved", "data": {}})
    stack.wait(workflow, run, "COMPLETED")
    # Passed on by the bridge, and shown as the answer of whoever gave it.
    answered = stack.in_airflow("GET", path)
    assert (
        answered["responded_by_user"]["name"]
        == outputs(stack.run(workflow, run))["Ask"]["decidedBy"]
    )
    assert answered["params_input"] == {}


def test_resume_rejects_once_and_the_run_fails_with_the_reason(stack: Stack) -> None:
    workflow = stack.create(approval())
    run = stack.execute(workflow)
    stack.wait(workflow, run, "PAUSED")
    path = f"/api/workflows/runs/{run}/resume"
    stack.api("POST", path, {"decision": "maybe"}, expect=400)
    assert stack.api("POST", path, {"decision": "rejected"})["status"] == "RUNNING"
    stack.api("POST", path, {"decision": "approved"}, expect=409)
    failed = stack.wait(workflow, run, "FAILED")
    assert "Rejected by" in failed["error"]


def test_a_delay_elapses_by_itself_and_can_be_ended_early(stack: Stack) -> None:
    short = stack.create(delay("PT2S"))
    run = stack.execute(short)
    assert outputs(stack.wait(short, run, "COMPLETED"))["Wait"]["resumedEarly"] is False
    long = stack.create(delay("P1D"), email("Tell", 1, "early@example.com"))
    run = stack.execute(long)
    stack.wait(long, run, "PAUSED")
    stack.api("POST", f"/api/workflows/runs/{run}/resume", {})
    assert outputs(stack.wait(long, run, "COMPLETED"))["Wait"]["resumedEarly"] is True


def test_nested_branches_take_one_way_and_join_again(stack: Stack) -> None:
    inner = {
        "name": "Inner",
        "type": "condition",
        "order": 0,
        "config": {
            "rules": [{"field": "{{input.amount}}", "operator": "gt", "value": 100}],
            "then": [email("Much", 0, "branch@example.com", "much")],
            "else": [email("Some", 0, "branch@example.com", "some")],
        },
    }
    outer = {
        "name": "Outer",
        "type": "condition",
        "order": 0,
        "config": {
            "expression": "input.amount > 10",
            "then": [inner],
            "else": [email("Little", 0, "branch@example.com", "little")],
        },
    }
    workflow = stack.create(outer, email("After", 1, "branch@example.com", "after"))
    done = stack.wait(workflow, stack.execute(workflow, amount=50), "COMPLETED")
    assert list(outputs(done)) == ["Outer", "Inner", "Some", "After"]
    sent = sorted(mail["text"].strip() for mail in stack.mails("branch@example.com"))
    assert sent == ["after", "some"]


def test_a_run_started_by_hand_in_airflow_shows_in_the_api(stack: Stack) -> None:
    workflow = stack.create(email("Tell", 0, "{{input.to}}"))
    first = stack.execute(workflow, to="api@example.com")
    stack.wait(workflow, first, "COMPLETED")
    body = {"logical_date": None, "conf": {"to": "hand@example.com"}}
    started = stack.in_airflow("POST", f"/dags/automation_{workflow}/dagRuns", body)
    assert re.fullmatch(PATTERN, started["dag_run_id"])
    until(
        "the run in the API",
        lambda: len(stack.api("GET", f"/api/workflows/{workflow}/runs")["runs"]) == 2 or None,
    )
    stack.wait(workflow, started["dag_run_id"], "COMPLETED")
    assert len(stack.mails("hand@example.com")) == 1


def test_a_run_marked_failed_in_airflow_fails_in_the_api_and_a_clear_revives_it(
    stack: Stack,
) -> None:
    workflow = stack.create(approval(), email("Tell", 1, "revived@example.com"))
    run = stack.execute(workflow)
    required_action(stack, workflow, run)
    path = f"/dags/automation_{workflow}/dagRuns/{run}"
    stack.in_airflow("PATCH", path, {"state": "failed"})
    failed = stack.wait(workflow, run, "FAILED")
    assert "Airflow" in failed["error"]
    stack.api("POST", f"/api/workflows/runs/{run}/resume", {"decision": "approved"}, expect=409)
    stack.in_airflow("POST", f"{path}/clear", {"dry_run": False})
    stack.wait(workflow, run, "PAUSED")
    stack.api("POST", f"/api/workflows/runs/{run}/resume", {"decision": "approved"})
    stack.wait(workflow, run, "COMPLETED")
    assert len(stack.mails("revived@example.com")) == 1


def test_an_approval_that_is_marked_as_done_in_airflow_is_an_override(stack: Stack) -> None:
    rejected = [email("Rejected", 0, "overridden@example.com")]
    asked = approval()
    asked["config"]["onReject"] = rejected
    workflow = stack.create(asked, email("Tell", 1, "overridden@example.com"))
    run = stack.execute(workflow)
    task = required_action(stack, workflow, run)["task_instance"]["task_id"]
    path = f"/dags/automation_{workflow}/dagRuns/{run}/taskInstances/{task}"
    stack.in_airflow("PATCH", path, {"new_state": "success"})
    done = stack.wait(workflow, run, "COMPLETED")
    output = done["state"]["stepOutputs"][task]
    assert (output["decision"], output["override"]) == ("approved", True)
    assert [line["stepName"] for line in done["logs"]] == [asked["name"], "Tell"]
    assert len(stack.mails("overridden@example.com")) == 1

    def named() -> Any:
        lines = stack.api("GET", "/api/audit-logs?action=run.override")["auditLogs"]
        return next((line for line in lines if line["resource"]["id"] == run), None)

    assert until("the line of the audit log", named)["actor"]["type"] == "airflow"


def test_an_approval_that_is_skipped_in_airflow_is_none(stack: Stack) -> None:
    rules = [{"field": "{{input.ask}}", "operator": "exists"}]
    ask = {**approval(), "name": "Review"}
    asks = {
        "name": "If",
        "type": "condition",
        "order": 0,
        "config": {"rules": rules, "then": [ask]},
    }
    workflow = stack.create(asks, email("Tell", 1, "skipped@example.com"))
    run = stack.execute(workflow, ask=True)
    task = required_action(stack, workflow, run)["task_instance"]["task_id"]
    path = f"/dags/automation_{workflow}/dagRuns/{run}/taskInstances/{task}"
    stack.in_airflow("PATCH", path, {"new_state": "skipped"})
    done = stack.wait(workflow, run, "COMPLETED")
    assert task not in {*done["state"]["completedNodeIds"], *done["state"]["stepOutputs"]}
    assert len(stack.mails("skipped@example.com")) == 1

    def logged() -> Any:
        lines = stack.run(workflow, run)["logs"]
        return next((line for line in lines if line["status"] == "marked"), None)

    said = until("the line of who has skipped it", logged)
    assert (said["stepName"], json.loads(said["output"])["state"]) == ("Review", "skipped")


def test_a_failed_step_is_retried_without_the_steps_before_it(stack: Stack) -> None:
    broken = {
        "name": "Fetch",
        "type": "http_request",
        "order": 1,
        "config": {"url": "{{input.url}}"},
    }
    workflow = stack.create(
        email("First", 0, "retry@example.com"), broken, email("Last", 2, "retry@example.com")
    )
    run = stack.execute(workflow, url="http://169.254.169.254/")
    assert "Fetch" in stack.wait(workflow, run, "FAILED")["error"]
    path = f"/api/workflows/{workflow}/runs/{run}/retry"
    stack.api("POST", path, expect=202)

    def tried_again() -> bool | None:
        logs = stack.run(workflow, run)["logs"]
        return [line["stepName"] for line in logs].count("Fetch") == 2 or None

    until("the second attempt", tried_again)
    stack.wait(workflow, run, "FAILED")
    assert len(stack.mails("retry@example.com")) == 1


def test_a_cancelled_run_ends_in_airflow_and_stays_cancelled(stack: Stack) -> None:
    workflow = stack.create(delay("P1D"), email("Tell", 1, "cancelled@example.com"))
    run = stack.execute(workflow)
    stack.wait(workflow, run, "PAUSED")
    path = f"/api/workflows/{workflow}/runs/{run}/cancel"
    assert stack.api("POST", path)["status"] == "CANCELLED"
    dag_run = f"/dags/automation_{workflow}/dagRuns/{run}"

    def ended() -> bool | None:
        return stack.in_airflow("GET", dag_run)["state"] == "failed" or None

    until("Airflow to end the run", ended)
    assert stack.run(workflow, run)["status"] == "CANCELLED"
    assert stack.mails("cancelled@example.com") == []


def test_a_run_keeps_its_version_when_the_automation_is_edited(stack: Stack) -> None:
    workflow = stack.create(approval(), email("Tell", 1, "kept@example.com", "old"))
    run = stack.execute(workflow)
    stack.wait(workflow, run, "PAUSED")
    edited = stack.api(
        "PATCH",
        f"/api/workflows/{workflow}",
        {"steps": [email("New", 0, "kept@example.com", "new")]},
    )
    assert edited["version"] == 2
    newer = stack.execute(workflow)
    stack.wait(workflow, newer, "COMPLETED")
    stack.api("POST", f"/api/workflows/runs/{run}/resume", {"decision": "approved"})
    assert stack.wait(workflow, run, "COMPLETED")["version"] == 1
    sent = sorted(mail["text"].strip() for mail in stack.mails("kept@example.com"))
    assert sent == ["new", "old"]


def test_work_is_taken_while_airflows_api_is_away_and_done_when_it_is_back(stack: Stack) -> None:
    workflow = stack.create(email("Tell", 0, "away@example.com"))
    stack.kill("api-server")
    run = stack.execute(workflow)
    assert stack.run(workflow, run)["status"] == "RUNNING"
    stack.wait(workflow, run, "COMPLETED")
    assert len(stack.mails("away@example.com")) == 1
    stack.healthy()


def test_a_killed_scheduler_loses_nothing_and_sends_nothing_twice(stack: Stack) -> None:
    steps = [email(f"Tell {number}", number, f"crash{number}@example.com") for number in range(4)]
    workflow = stack.create(*steps)
    stack.wait(workflow, stack.execute(workflow), "COMPLETED")
    run = stack.execute(workflow)
    until("the first step", lambda: stack.run(workflow, run)["logs"] or None)
    stack.kill("scheduler")
    stack.wait(workflow, run, "COMPLETED")
    for number in range(4):
        mails = stack.mails(f"crash{number}@example.com")
        # One that was on its way just then may come again, and is known by its id as the same.
        assert len({mail["messageId"] for mail in mails}) == 2
    stack.healthy()


def test_a_step_whose_process_is_killed_again_and_again_fails_and_says_so(stack: Stack) -> None:
    gate, keys, killed = stack.counterparts.gate, list[str | None](), list[int]()
    gate.clear()
    try:
        workflow = stack.create(held(stack, "Deadly", 0))
        run = stack.execute(workflow)

        def begun_anew() -> int | None:
            keys[:] = stack.counterparts.keys_of("Deadly")
            if len(keys) == len(killed):
                return None
            pid = tasks(stack, workflow, run)[0]["pid"]
            return None if pid in killed else pid

        for _ in range(MAX_DEATHS):
            pid = until(f"process {len(killed) + 1} of the step", begun_anew)
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        failed = stack.wait(workflow, run, "FAILED")
    finally:
        gate.set()
    assert failed["error"].startswith("Deadly: its process was killed 4 times")
    assert [line["status"] for line in failed["logs"]] == ["retrying"] * 3 + ["failed"]
    assert len(set(keys)) == 1


def test_status_tells_the_truth_after_a_part_was_killed(stack: Stack) -> None:
    stack.healthy()
    pid = stack.pid("triggerer")
    supervisor = psutil.Process(pid).parent()
    assert supervisor is not None
    supervisor.suspend()  # or it would be there again before anybody has asked
    try:
        os.kill(pid, signal.SIGKILL)
        assert stack.command("status", "--json").returncode == 1
    finally:
        supervisor.resume()
    until("another one", lambda: True if stack.pid("triggerer") != pid else None)
    stack.healthy()
    assert stack.pid("triggerer") != pid


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json"])
def test_the_bridge_describes_itself(stack: Stack, path: str) -> None:
    assert requests.get(stack.bridge + path, timeout=60).status_code == 200
