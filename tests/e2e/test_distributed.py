"""The topology of several machines on this one: ``./automations up --profile distributed``.

Run when it is asked for alone, or when ``AUTOMATIONS_PROFILE`` says that all of the end-to-end
tests have this profile.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import suppress
from typing import Any

import psutil
import pytest
import requests

from tests.chaos.faults import KILL_EVERYTHING
from tests.e2e.automations import approval, delay, echo, echoed, email
from tests.e2e.conftest import Stack, profile
from tests.e2e.in_airflow import ended, held, log_of, tasks
from tests.waiting import until

MANY = 8
"""Runs that are under way while parts are killed."""


@pytest.fixture(autouse=True)
def distributed(request: pytest.FixtureRequest) -> None:
    if profile(request.config) != "distributed":
        pytest.skip("by itself: ./automations test tests/e2e/test_distributed.py")


def mixed(stack: Stack, name: str, wait: str = "PT1S") -> str:
    """An automation of all that a run may wait for, told apart by the input ``n``."""
    child = stack.create(echo(stack, "Child", 0, f"{name} {{{{input.n}}}} child"))
    each = echo(stack, "Item", 0, f"{name} {{{{input.n}}}} {{{{loop.item}}}}")
    config = {"workflowId": child, "input": {"n": "{{input.n}}"}, "waitForCompletion": True}
    return stack.create(
        echo(stack, "First", 0, f"{name} {{{{input.n}}}} first"),
        echo(stack, "Second", 1, f"{name} {{{{input.n}}}} second"),
        {**delay(wait), "order": 2},
        {**approval(), "order": 3},
        {
            "name": "Each",
            "type": "loop",
            "order": 4,
            "config": {"collection": ["a", "b"], "steps": [each]},
        },
        {"name": "Run", "type": "run_workflow", "order": 5, "config": config},
        echo(stack, "Last", 6, f"{name} {{{{input.n}}}} last"),
    )


def answered(stack: Stack, workflow: str, runs: list[str]) -> None:
    """Answer each run's question when it asks, and wait for the end of all."""
    asked = set(runs)

    def look() -> bool | None:
        for run in list(asked):
            seen = stack.run(workflow, run)
            if (seen.get("pause") or {}).get("kind") == "decision":
                # Whoever was not answered asks again; the first answer counts.
                with suppress(requests.RequestException, AssertionError):
                    stack.api("POST", f"/api/workflows/runs/{run}/resume", {"decision": "approved"})
            if seen["status"] not in ("RUNNING", "PAUSED", "WAITING_FOR_CHILD"):
                asked.discard(run)
        return not asked or None

    until(f"{len(runs)} runs to end", look, 400)


def effects(stack: Stack, name: str) -> Counter[str]:
    """What arrived, each text once for each key that it came with."""
    sent = zip(stack.counterparts.posted, stack.counterparts.keys, strict=True)
    with stack.counterparts.counting:
        texts = {(body["text"], key) for (_, body), key in sent if "text" in body}
    return Counter(text for text, _ in texts if text.startswith(f"{name} "))


def expected(name: str, numbers: range) -> Counter[str]:
    said = ("first", "second", "a", "b", "child", "last")
    return Counter(f"{name} {number} {what}" for number in numbers for what in said)


def test_all_that_a_run_may_wait_for_comes_to_its_end_through_celery(stack: Stack) -> None:
    assert comes_to_its_end(stack, "ahead"), "light steps are done in one process"


def comes_to_its_end(stack: Stack, name: str) -> bool:
    """Have runs of all kinds of steps end, and say whether some were done ahead of their tasks."""
    workflow = mixed(stack, name)
    runs = [stack.execute(workflow, n=number) for number in range(3)]
    answered(stack, workflow, runs)
    assert {stack.run(workflow, run)["status"] for run in runs} == {"COMPLETED"}
    assert effects(stack, name) == expected(name, range(3))
    first, second, *others = ended(stack, workflow, runs[0])
    assert {task["state"] for task in (first, second, *others)} == {"success"}
    assert "Step 'Second'" in log_of(stack, workflow, runs[0], second)
    return (first["hostname"], first["pid"]) == (second["hostname"], second["pid"])


def test_bridges_behind_the_proxy_are_one(stack: Stack) -> None:
    state = stack.command("status", "--json")
    assert state.returncode == 0, state.stdout
    workflow = stack.create(echo(stack, "One", 0, "one of two bridges"))
    first = stack.backend_port
    run = set()
    for port in (first, first + 1):
        answer = requests.post(
            f"http://127.0.0.1:{port}/api/workflows/{workflow}/execute",
            json={},
            headers={**stack.http.headers, "Idempotency-Key": "sent-to-both"},
            timeout=30,
        )
        assert answer.ok, answer.text
        run.add(answer.json()["runId"])
    (only,) = run
    stack.wait(workflow, only, "COMPLETED")
    assert echoed(stack).count("one of two bridges") == 1
    for port in (first, first + 1):
        key = stack.api("POST", "/api/api-keys", {"name": "k", "role": "VIEWER"}, expect=201)
        where = f"http://127.0.0.1:{port}/api/workflows/{workflow}"
        bearer = {"Authorization": f"Bearer {key['token']}"}
        assert requests.get(where, headers=bearer, timeout=30).status_code == 200


def test_a_step_whose_worker_is_killed_is_done_by_another_under_the_same_key(
    stack: Stack,
) -> None:
    gate = stack.counterparts.gate
    gate.clear()
    try:
        workflow = stack.create(held(stack, "cut off", 0), email("Tell", 1, "cut@example.com"))
        run = stack.execute(workflow)

        def keys() -> list[str | None]:
            return stack.counterparts.keys_of("cut off")

        until("the step to be begun", lambda: keys() or None)
        (task, _) = tasks(stack, workflow, run)
        worker = worker_of(stack, task["pid"])
        stack.kill(worker)
    finally:
        gate.set()
    stack.wait(workflow, run, "COMPLETED", 120)
    assert len(keys()) == 2
    assert len(set(keys())) == 1
    assert len(stack.mails("cut@example.com")) == 1
    stack.healthy()


def worker_of(stack: Stack, pid: int) -> str:
    """The worker in which a task's process is."""
    above = {process.pid for process in psutil.Process(pid).parents()}
    return next(name for name in ("worker", "worker-2") if stack.pid(name) in above)


def test_what_is_killed_loses_nothing(stack: Stack) -> None:
    workflow = mixed(stack, "killed", "PT3S")
    killed = ("worker", "scheduler", "bridge", "triggerer", "api-server", "dispatcher", "queue")
    runs: list[str] = []
    for number in range(MANY):
        runs.append(until("a run", lambda number=number: begin(stack, workflow, number)))  # type: ignore[misc]
        if number < len(killed):
            if killed[number] == "queue":
                os.kill(stack.pid("queue"), signal.SIGTERM)
            else:
                stack.kill(killed[number])
    nothing_is_lost(stack, "killed", workflow, runs)


def nothing_is_lost(stack: Stack, name: str, workflow: str, runs: list[str]) -> None:
    """Have runs come to their ends, and see that each step was done, and recorded once."""
    answered(stack, workflow, runs)
    assert {stack.run(workflow, run)["status"] for run in runs} == {"COMPLETED"}
    assert effects(stack, name) == expected(name, range(MANY))
    for run in runs:
        lines = stack.run(workflow, run)["logs"]
        done = Counter(line["stepName"] for line in lines if line["status"] == "success")
        assert set(done.values()) <= {1, 2}, done  # the loop's step once for each item
    stack.healthy()


def test_where_everything_is_killed_at_once_nothing_is_lost_either(stack: Stack) -> None:
    workflow = mixed(stack, "at once", "PT3S")
    runs: list[str] = []
    for number in range(MANY):
        runs.append(until("a run", lambda number=number: begin(stack, workflow, number)))  # type: ignore[misc]
        if number in (MANY // 2, MANY - 1):
            # Some wait for people by then, some for a moment, and some have just been accepted.
            KILL_EVERYTHING.strike(stack)
    nothing_is_lost(stack, "at once", workflow, runs)


def begin(stack: Stack, workflow: str, number: int) -> str | None:
    """Start a run, under one key however often it takes."""
    key = {"Idempotency-Key": f"killed-{workflow}-{number}"}
    try:
        answer: Any = stack.http.post(
            f"{stack.bridge}/api/workflows/{workflow}/execute",
            json={"n": number},
            headers=key,
            timeout=30,
        )
    except requests.ConnectionError:
        return None
    return str(answer.json()["runId"]) if answer.ok else None


def test_so_does_it_where_each_step_is_done_by_its_own_task(stack: Stack) -> None:
    stack.anew(AUTOMATIONS_RUN_AHEAD_SECONDS="0")
    assert not comes_to_its_end(stack, "apart")
