"""Steps that are done ahead of their tasks, in the real Airflow: what people see, and crashes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.automations import echo, echoed
from tests.e2e.conftest import Stack
from tests.e2e.in_airflow import ended, held, log_of, run_path, tasks
from tests.waiting import until

NAMES = ("One", "Two", "Three", "Four", "Five")


def test_five_steps_are_done_in_one_process_and_each_is_seen_in_airflow(stack: Stack) -> None:
    texts = [f"ahead {name}" for name in NAMES]
    workflow = stack.create(
        *(echo(stack, name, order, texts[order]) for order, name in enumerate(NAMES))
    )
    run = stack.execute(workflow)
    stack.wait(workflow, run, "COMPLETED")
    details = ended(stack, workflow, run)
    assert [task["state"] for task in details] == ["success"] * 5
    assert [task["try_number"] for task in details] == [1] * 5
    assert len({(task["hostname"], task["pid"]) for task in details}) == 1
    starts = [task["start_date"] for task in details]
    assert starts == sorted(starts)
    assert all(task["start_date"] < task["end_date"] for task in details)
    assert [text for text in echoed(stack) if text in texts] == texts
    for task, name in zip(details, NAMES, strict=True):
        written = log_of(stack, workflow, run, task)
        assert f"Step '{name}'" in written
        assert [other for other in NAMES if f"Step '{other}'" in written] == [name]
        xcoms = stack.in_airflow(
            "GET", f"{run_path(workflow, run)}/taskInstances/{task['task_id']}/xcomEntries"
        )
        assert "return_value" in {entry["key"] for entry in xcoms["xcom_entries"]}
        assert task["rendered_fields"]["config"]["body"] == {"text": f"ahead {name}"}


def test_a_step_that_was_done_ahead_is_done_anew_when_it_is_cleared(stack: Stack) -> None:
    texts = [f"anew {name}" for name in NAMES]
    workflow = stack.create(
        *(echo(stack, name, order, texts[order]) for order, name in enumerate(NAMES))
    )
    run = stack.execute(workflow)
    stack.wait(workflow, run, "COMPLETED")
    third = ended(stack, workflow, run)[2]["task_id"]
    cleared = {"task_ids": [third], "dag_run_id": run, "dry_run": False, "only_failed": False}
    path = f"/dags/automation_{workflow}/clearTaskInstances"
    stack.in_airflow("POST", path, {**cleared, "include_downstream": True})

    def again() -> list[str] | None:
        found = [text for text in echoed(stack) if text in texts]
        return found if len(found) == 8 else None

    assert until("three steps to be done anew", again)[5:] == texts[2:]
    details = ended(stack, workflow, run)
    assert [task["try_number"] for task in details] == [1, 1, 2, 2, 2]
    stack.wait(workflow, run, "COMPLETED")


def test_a_process_that_is_killed_in_the_middle_loses_nothing_and_does_nothing_twice(
    stack: Stack,
) -> None:
    gate = stack.counterparts.gate
    gate.clear()
    try:
        workflow = stack.create(
            echo(stack, "One", 0, "killed One"),
            echo(stack, "Two", 1, "killed Two"),
            held(stack, "killed Three", 2),
            echo(stack, "Four", 3, "killed Four"),
        )
        run = stack.execute(workflow)

        def keys() -> list[str | None]:
            return stack.counterparts.keys_of("killed Three")

        until("the third step to be begun", lambda: keys() or None)
        first = tasks(stack, workflow, run)[0]
        assert first["state"] == "running"
        os.kill(first["pid"], signal.SIGKILL)
    finally:
        gate.set()
    stack.wait(workflow, run, "COMPLETED")
    details = ended(stack, workflow, run)
    assert [task["state"] for task in details] == ["success"] * 4
    # What was done by then is handed over by the next try; the others have processes of their own.
    assert details[0]["try_number"] == 2
    assert details[1]["try_number"] == 1
    assert [text for text in echoed(stack) if text.startswith("killed")] == [
        "killed One",
        "killed Two",
        "killed Four",
    ]
    assert len(keys()) == 2
    assert len(set(keys())) == 1


@contextmanager
def while_held(stack: Stack, name: str) -> Iterator[tuple[str, str]]:
    """A run of three steps, in whose first one it is; the block's end lets it go on."""
    gate = stack.counterparts.gate
    gate.clear()
    try:
        steps = (held(stack, name, 0), echo(stack, "Two", 1, name), echo(stack, "Three", 2, name))
        workflow = stack.create(*steps)
        run = stack.execute(workflow)
        until("the first step to be begun", lambda: name in texts(stack, "/held") or None)
        yield workflow, run
    finally:
        gate.set()


def texts(stack: Stack, path: str) -> list[str]:
    return [body["text"] for where, body in stack.counterparts.posted if where == path]


def test_a_task_that_somebody_fails_meanwhile_stays_failed_and_fails_the_run(stack: Stack) -> None:
    with while_held(stack, "failed meanwhile") as (workflow, run):
        third = tasks(stack, workflow, run)[2]["task_id"]
        path = f"{run_path(workflow, run)}/taskInstances/{third}"
        stack.in_airflow("PATCH", path, {"new_state": "failed"})
    details = ended(stack, workflow, run, "failed")
    assert [task["state"] for task in details] == ["success", "success", "failed"]
    assert stack.wait(workflow, run, "FAILED")["status"] == "FAILED"


def test_a_run_that_is_cancelled_meanwhile_goes_no_further(stack: Stack) -> None:
    with while_held(stack, "cancelled meanwhile") as (workflow, run):
        stack.client.runs.cancel(workflow, run)
    ended(stack, workflow, run, "failed")
    assert stack.run(workflow, run)["status"] == "CANCELLED"
    assert "cancelled meanwhile" not in texts(stack, "/echo")
