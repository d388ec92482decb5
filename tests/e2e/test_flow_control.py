"""Flow control, retries on the newest version and tests of steps, with the real Airflow."""

from __future__ import annotations

from tests.e2e.automations import approval, email, fetch, required_action
from tests.e2e.conftest import Stack
from tests.waiting import until

BROKEN = "http://169.254.169.254/"


def test_a_failed_run_goes_on_by_the_newest_version(stack: Stack) -> None:
    to = "latest@example.com"
    workflow = stack.create(email("First", 0, to), fetch(1, BROKEN), email("Old", 2, to))
    run = stack.execute(workflow)
    stack.wait(workflow, run, "FAILED")
    path = f"/api/workflows/{workflow}"
    added = email("Before", 0, to)
    stack.api("PATCH", path, {"steps": [added, email("First", 1, to), fetch(2, BROKEN)]})
    retry = f"{path}/runs/{run}/retry"
    refused = stack.api("POST", retry, {"version": "latest"}, expect=409)
    assert "version 2" in refused["error"]
    mended = {**fetch(1, "x"), "type": "code", "config": {"code": "return {mended: true}"}}
    step_id = stack.api("GET", path)["steps"][2]["id"]
    stack.api(
        "PATCH",
        path,
        {"steps": [email("First", 0, to), {**mended, "id": step_id}, email("New", 2, to)]},
    )
    assert stack.api("POST", retry, {"version": "latest"}, expect=202)["runId"] == run
    done = stack.wait(workflow, run, "COMPLETED")
    assert done["version"] == 3
    assert [line["stepName"] for line in done["logs"]] == ["First", "Fetch", "Fetch", "New"]
    assert done["state"]["pendingNodeIds"] == []
    assert len(stack.mails(to)) == 2


def test_a_limit_holds_for_runs_of_the_api_and_of_airflow_and_each_gets_its_turn(
    stack: Stack,
) -> None:
    workflow = stack.create(
        approval(), email("Tell", 1, "turn@example.com"), concurrency={"limit": 1}
    )
    first, second = stack.execute(workflow), stack.execute(workflow)
    stack.wait(workflow, first, "PAUSED")
    dag = f"/dags/automation_{workflow}/dagRuns"
    made = stack.in_airflow("POST", dag, {"logical_date": None, "conf": {}})["dag_run_id"]

    def sleeps() -> bool | None:
        found = stack.in_airflow("GET", f"{dag}/{made}/taskInstances")["task_instances"]
        return "deferred" in [task["state"] for task in found] or None

    until("Airflow's own run to sleep", sleeps)
    for run in (second, made):
        assert stack.run(workflow, run)["status"] == "RUNNING"
        assert stack.run(workflow, run)["queued"]
    for run in (first, second, made):
        stack.wait(workflow, run, "PAUSED")
        stack.api("POST", f"/api/workflows/runs/{run}/resume", {"decision": "approved"})
        stack.wait(workflow, run, "COMPLETED")
    assert len(stack.mails("turn@example.com")) == 3


def test_many_events_are_one_run_and_its_failure_starts_the_error_workflow(stack: Stack) -> None:
    text = "{{input.workflowName}}, {{input.stepName}}: {{input.error}}"
    handler = stack.create(email("Tell", 0, "failure@example.com", text))
    workflow = stack.create(
        fetch(0, BROKEN),
        name="Fragile",
        trigger={"type": "event", "triggerType": "thing.changed"},
        debounce={"delay": "PT5S", "key": "{{trigger.thing}}"},
        errorWorkflowId=handler,
    )
    for number in range(3):
        event = {
            "specversion": "1.0",
            "id": str(number),
            "source": "test",
            "type": "thing.changed",
            "data": {"thing": "a", "number": number},
        }
        stack.client.events.send(event)
    mail = until(
        "the mail of the error workflow",
        lambda: next(iter(stack.mails("failure@example.com")), None),
    )
    assert mail["text"].startswith("Fragile, Fetch: Fetch: ")
    (run,) = stack.api("GET", f"/api/workflows/{workflow}/runs")["runs"]
    assert run["status"] == "FAILED"
    (started,) = stack.api("GET", f"/api/workflows/{handler}/runs")["runs"]
    stack.wait(handler, started["id"], "COMPLETED")


def test_a_step_is_tested_alone(stack: Stack) -> None:
    workflow = stack.create(email("Tell", 0, "alone@example.com", "{{input.text}}"))
    step = stack.api("GET", f"/api/workflows/{workflow}")["steps"][0]["id"]
    path = f"/api/workflows/{workflow}/steps/{step}/test"
    body = {"input": {"text": "tested"}}
    assert stack.api("POST", path, {**body, "dryRun": True})["config"]["body"] == "tested"
    assert stack.mails("alone@example.com") == []
    assert stack.api("POST", path, body)["status"] == "success"
    (mail,) = stack.mails("alone@example.com")
    assert mail["text"].strip() == "tested"


def test_a_dag_that_is_deleted_in_airflow_comes_back_and_its_run_waits_where_it_did(
    stack: Stack,
) -> None:
    to = "deleted@example.com"
    asks = {**approval(), "order": 1}
    workflow = stack.create(email("Before", 0, to), asks, email("After", 2, to))
    run = stack.execute(workflow)
    stack.wait(workflow, run, "PAUSED")
    # Airflow deletes none of whose tasks one still runs.
    required_action(stack, workflow, run)
    dag = f"/dags/automation_{workflow}"
    stack.in_airflow("DELETE", dag)

    def waits() -> bool | None:
        try:
            found = stack.in_airflow("GET", f"{dag}/dagRuns/{run}/taskInstances")
        except AssertionError:  # it is not there yet
            return None
        return (
            "awaiting_input"
            in [task_instance["state"] for task_instance in found["task_instances"]]
            or None
        )

    until("the run to wait in Airflow again", waits)
    assert stack.run(workflow, run)["status"] == "PAUSED"
    stack.api("POST", f"/api/workflows/runs/{run}/resume", {"decision": "approved"})
    done = stack.wait(workflow, run, "COMPLETED")
    assert [line["stepName"] for line in done["logs"]] == ["Before", "Ask", "After"]
    assert len(stack.mails(to)) == 2


def test_a_dag_that_is_paused_in_airflow_says_so_and_goes_on_when_it_is_unpaused(
    stack: Stack,
) -> None:
    workflow = stack.create(email("Tell", 0, "paused@example.com"))
    stack.wait(workflow, stack.execute(workflow), "COMPLETED")
    dag = f"/dags/automation_{workflow}"
    stack.in_airflow("PATCH", dag, {"is_paused": True})
    held = until("the pause", lambda: stack.client.workflows.get(workflow).get("heldUp"))
    assert (held["kind"], held["by"]) == ("paused", "admin")
    started = stack.client.workflows.execute(workflow)
    assert (started["queued"], started["heldUp"]) == (True, held)
    stack.in_airflow("PATCH", dag, {"is_paused": False})
    stack.wait(workflow, started["runId"], "COMPLETED")
    until("its end", lambda: "heldUp" not in stack.client.workflows.get(workflow) or None)


def test_an_archived_automation_that_is_started_in_airflow_fails_and_says_why(
    stack: Stack,
) -> None:
    workflow = stack.create(email("Tell", 0, "archived@example.com"))
    stack.wait(workflow, stack.execute(workflow), "COMPLETED")
    stack.api("PATCH", f"/api/workflows/{workflow}", {"status": "ARCHIVED"})
    runs = f"/dags/automation_{workflow}/dagRuns"
    run = stack.in_airflow("POST", runs, {"logical_date": None})["dag_run_id"]

    def ended() -> str | None:
        state = stack.in_airflow("GET", f"{runs}/{run}")["state"]
        return str(state) if state in ("success", "failed") else None

    assert until("its end in Airflow", ended) == "failed"
    failed = stack.wait(workflow, run, "FAILED")
    assert failed["error"] == "An archived automation cannot be executed."
    assert len(stack.mails("archived@example.com")) == 1
