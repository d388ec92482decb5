"""Runs of express automations in the real stack: what people see in Airflow, and crashes."""

from __future__ import annotations

from typing import Any

from tests.e2e.automations import approval, echo, echoed
from tests.e2e.conftest import Stack
from tests.e2e.in_airflow import ended, held, log_of, run_path, tasks
from tests.waiting import until

NAMES = ("One", "Two", "Three", "Four", "Five")


def express(stack: Stack, *steps: dict[str, Any]) -> str:
    return stack.create(*steps, execution="express")


def echoes(stack: Stack, what: str, names: tuple[str, ...] = NAMES) -> list[dict[str, Any]]:
    return [echo(stack, name, order, f"{what} {name}") for order, name in enumerate(names)]


def done(stack: Stack, what: str) -> list[str]:
    return [text for text in echoed(stack) if text.startswith(what)]


def test_five_steps_are_done_at_once_and_each_is_seen_in_airflow(stack: Stack) -> None:
    workflow = express(stack, *echoes(stack, "express"))
    run = stack.execute(workflow)
    # Airflow need not have parsed it.
    stack.wait(workflow, run, "COMPLETED")
    assert done(stack, "express") == [f"express {name}" for name in NAMES]
    until("it to be in Airflow", lambda: there(stack, workflow, run) or None)
    details = ended(stack, workflow, run)
    assert [task["state"] for task in details] == ["success"] * 5
    assert [task["try_number"] for task in details] == [1] * 5
    starts = [task["start_date"] for task in details]
    assert starts == sorted(starts)
    for task, name in zip(details, NAMES, strict=True):
        written = log_of(stack, workflow, run, task)
        assert f"Step '{name}'" in written
        assert [other for other in NAMES if f"Step '{other}'" in written] == [name]
        xcoms = stack.in_airflow(
            "GET", f"{run_path(workflow, run)}/taskInstances/{task['task_id']}/xcomEntries"
        )
        assert "return_value" in {entry["key"] for entry in xcoms["xcom_entries"]}
        assert task["rendered_fields"]["config"]["body"] == {"text": f"express {name}"}


def there(stack: Stack, workflow: str, run: str) -> bool:
    return stack.tried_in_airflow("GET", run_path(workflow, run)).ok


def test_what_was_done_is_done_anew_when_it_is_cleared_in_airflow(stack: Stack) -> None:
    workflow = express(stack, *echoes(stack, "again"))
    run = stack.execute(workflow)
    stack.wait(workflow, run, "COMPLETED")
    until("it to be in Airflow", lambda: there(stack, workflow, run) or None)
    third = ended(stack, workflow, run)[2]["task_id"]
    cleared = {"task_ids": [third], "dag_run_id": run, "dry_run": False, "only_failed": False}
    path = f"/dags/automation_{workflow}/clearTaskInstances"
    stack.in_airflow("POST", path, {**cleared, "include_downstream": True})
    until("three steps to be done anew", lambda: len(done(stack, "again")) == 8 or None)
    assert done(stack, "again")[5:] == [f"again {name}" for name in NAMES[2:]]
    details = ended(stack, workflow, run)
    assert [task["try_number"] for task in details] == [1, 1, 2, 2, 2]
    stack.wait(workflow, run, "COMPLETED")


def test_airflow_goes_on_where_a_run_pauses(stack: Stack) -> None:
    before, after = echo(stack, "One", 0, "paused One"), echo(stack, "Two", 2, "paused Two")
    workflow = express(stack, before, {**approval(), "order": 1}, after)
    run = stack.execute(workflow)
    stack.wait(workflow, run, "PAUSED")
    assert done(stack, "paused") == ["paused One"]
    assert tasks(stack, workflow, run)[0]["state"] == "success"
    stack.client.runs.resume(run, "approved")
    stack.wait(workflow, run, "COMPLETED")
    details = ended(stack, workflow, run)
    assert [task["state"] for task in details] == ["success"] * 3
    assert done(stack, "paused") == ["paused One", "paused Two"]


def test_a_run_that_fails_fails_in_airflow_and_is_retried_there(stack: Stack) -> None:
    config = {"method": "GET", "url": f"{stack.counterparts.url}/nowhere"}
    broken = {"name": "Broken", "type": "http_request", "order": 1, "config": config}
    workflow = express(stack, echo(stack, "One", 0, "failed One"), broken)
    run = stack.execute(workflow)
    stack.wait(workflow, run, "FAILED")
    until("it to be in Airflow", lambda: there(stack, workflow, run) or None)
    details = ended(stack, workflow, run, "failed")
    assert [task["state"] for task in details] == ["success", "failed"]
    assert "Step 'Broken'" in log_of(stack, workflow, run, details[1])
    stack.client.runs.retry(workflow, run)
    until("it to be tried again", lambda: tries(stack, workflow, run) == 2 or None)
    stack.wait(workflow, run, "FAILED")
    assert done(stack, "failed") == ["failed One"]


def tries(stack: Stack, workflow: str, run: str) -> int:
    return int(tasks(stack, workflow, run)[1]["try_number"])


def test_a_worker_that_is_killed_loses_nothing_and_does_nothing_twice(stack: Stack) -> None:
    gate = stack.counterparts.gate
    gate.clear()
    try:
        steps = echoes(stack, "cut off", ("One", "Two"))
        workflow = express(
            stack, *steps, held(stack, "cut off Three", 2), echo(stack, "Four", 3, "cut off Four")
        )
        runs = [stack.execute(workflow) for _ in range(4)]

        def keys() -> list[str | None]:
            return stack.counterparts.keys_of("cut off Three")

        until("the third step of each to be begun", lambda: len(keys()) == 4 or None)
        stack.kill_all("express")
    finally:
        gate.set()
    for run in runs:
        stack.wait(workflow, run, "COMPLETED")
        assert [task["state"] for task in ended(stack, workflow, run)] == ["success"] * 4
    assert sorted(done(stack, "cut off")) == sorted(
        4 * ["cut off One", "cut off Two", "cut off Four"]
    )
    # The step that it was in is done once more, under the same key.
    assert len(keys()) == 8
    assert len(set(keys())) == 4
    stack.healthy()


def test_runs_end_while_airflow_is_away_and_are_shown_when_it_is_back(stack: Stack) -> None:
    workflow = express(stack, *echoes(stack, "away"))
    stack.kill("api-server")
    run = stack.execute(workflow)
    stack.wait(workflow, run, "COMPLETED")
    stack.healthy()
    until("it to be in Airflow", lambda: there(stack, workflow, run) or None)
    assert [task["state"] for task in ended(stack, workflow, run)] == ["success"] * 5
