"""Upgrades: a newer release beside this one, and a home that goes over to it and back."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests

from release.version import PLACES, write
from tests.e2e.automations import approval, delay, echo, echoed
from tests.e2e.conftest import ROOT, Stack
from tests.free_ports import free_ports
from tests.waiting import until

NEWER = "99.0.0"
SHOUT = re.compile(r"```python\n(\"\"\"Write a text in capitals\.\"\"\".+?)```", re.DOTALL)


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of a newer release, with a type of step that this one does not know."""
    sources = tmp_path_factory.mktemp("newer")
    for folder in ("api_bridge", "dags", "include", "plugins"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / folder, sources / folder, ignore=ignored)
    for name in (*PLACES, "CHANGELOG.md"):
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, sources / name)
    write(NEWER, date(2099, 1, 1), sources)
    found = SHOUT.search((ROOT / "CONTRIBUTING.md").read_text())
    assert found is not None
    (sources / "include" / "automations" / "steps" / "shout.py").write_text(found[1])
    return sources


class Part:
    """A process of another release that takes part in a stack."""

    def __init__(self, stack: Stack, sources: Path, *module: str, **settings: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *module],
            env={**stack.environment(sources), **settings},
            cwd=sources,
        )

    def end(self) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(60)
        self._process.kill()
        self._process.wait(60)


@contextmanager
def beside(stack: Stack, sources: Path) -> Iterator[str]:
    """A bridge with a dispatcher and an express worker; the bridge's address."""
    [port] = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    parts = [
        Part(stack, sources, "api_bridge", AUTOMATIONS_BRIDGE_PORT=str(port)),
        Part(stack, sources, "automations.launcher.express_worker", "express-newer"),
    ]
    try:
        until("the newer bridge", lambda: answers(address) or None, 120)
        yield address
    finally:
        for part in parts:
            part.end()


def answers(address: str) -> bool:
    with suppress(requests.RequestException):
        return requests.get(f"{address}/healthz", timeout=5).ok
    return False


def ask(stack: Stack, address: str, method: str, path: str, body: Any = None, **more: str) -> Any:
    headers = {"Authorization": str(stack.http.headers["Authorization"]), **more}
    answer = requests.request(method, address + path, json=body, headers=headers, timeout=30)
    assert answer.ok, answer.text
    return answer.json()


def mixed(stack: Stack, name: str, **more: Any) -> str:
    """Steps before and behind a moment and a question, a loop, and a child."""
    child = stack.create(echo(stack, "Child", 0, f"{name} child"))
    item = echo(stack, "Item", 0, f"{name} {{{{loop.item}}}}")
    config = {"workflowId": child, "waitForCompletion": True}
    return stack.create(
        echo(stack, "First", 0, f"{name} first"),
        {**delay("PT1S"), "order": 1},
        {**approval(), "order": 2},
        {
            "name": "Each",
            "type": "loop",
            "order": 3,
            "config": {"collection": ["a", "b"], "steps": [item]},
        },
        {"name": "Run", "type": "run_workflow", "order": 4, "config": config},
        echo(stack, "Last", 5, f"{name} last"),
        **more,
    )


def effects(stack: Stack, name: str) -> list[str]:
    return sorted(text for text in echoed(stack) if text.startswith(f"{name} "))


def whole(name: str) -> list[str]:
    return sorted(f"{name} {what}" for what in ("first", "a", "b", "child", "last"))


def until_asked(stack: Stack, address: str, workflow: str, run: str) -> None:
    def look() -> bool | None:
        details = ask(stack, address, "GET", f"/api/workflows/{workflow}/runs/{run}")["run"]
        assert details["status"] in ("RUNNING", "PAUSED"), details
        return (details.get("pause") or {}).get("kind") == "decision" or None

    until("the question", look, 120)


def approve(stack: Stack, address: str, run: str) -> None:
    ask(stack, address, "POST", f"/api/workflows/runs/{run}/resume", {"decision": "approved"})


@contextmanager
def frozen(stack: Stack, part: str) -> Iterator[None]:
    """Meanwhile a part does nothing."""
    pid = stack.pid(part)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_what_one_release_has_begun_the_other_goes_on_with(stack: Stack, newer: Path) -> None:
    name = "beside"
    workflow = mixed(stack, name)
    execute = f"/api/workflows/{workflow}/execute"
    with beside(stack, newer) as address:
        # The newer one alone takes it in, and brings it to tasks of the older one.
        with frozen(stack, "bridge"):
            first = ask(stack, address, "POST", execute, {}, **{"Idempotency-Key": name})["runId"]
            until_asked(stack, address, workflow, first)
        # The key is known to either, and the older one's question is answered at the newer one.
        again = ask(stack, stack.bridge, "POST", execute, {}, **{"Idempotency-Key": name})["runId"]
        assert again == first
        approve(stack, address, first)
        stack.wait(workflow, first, "COMPLETED")
        second = ask(stack, stack.bridge, "POST", execute, {})["runId"]
        until_asked(stack, stack.bridge, workflow, second)
        third = ask(stack, address, "POST", execute, {})["runId"]
        until_asked(stack, address, workflow, third)
    # The newer one is gone: what it has begun ends here.
    for run in (second, third):
        approve(stack, stack.bridge, run)
        stack.wait(workflow, run, "COMPLETED")
    assert effects(stack, name) == sorted(whole(name) * 3)


def test_what_only_the_newer_release_understands_waits_for_it_and_keeps_nobody_else(
    stack: Stack, newer: Path
) -> None:
    shout = {"name": "Loud", "type": "shout", "order": 0, "config": {"text": "fine"}}
    made = {"name": "Loud", "status": "ACTIVE", "execution": "express", "steps": [shout]}
    refused = stack.http.post(f"{stack.bridge}/api/workflows", json=made, timeout=30)
    assert refused.status_code == 400
    fine = stack.create(echo(stack, "One", 0, "fine beside it"))
    with beside(stack, newer) as address:
        loud = ask(stack, address, "POST", "/api/workflows", made)["id"]
        listed = {automation["id"] for automation in stack.api("GET", "/api/workflows?limit=100")}
        assert {loud, fine} <= listed
        run = ask(stack, address, "POST", f"/api/workflows/{loud}/execute", {})["runId"]
        stack.wait(fine, stack.execute(fine), "COMPLETED")
        # Whichever worker had it first.
        seen = ask(stack, stack.bridge, "GET", f"/api/workflows/{loud}/runs/{run}")["run"]
        assert seen["status"] in ("RUNNING", "COMPLETED"), seen
        stack.api("DELETE", f"/api/workflows/{loud}")
    stack.healthy()


def test_a_home_goes_over_to_a_newer_release_with_runs_in_flight_and_back(
    stack: Stack, newer: Path
) -> None:
    name = "over"
    workflow = mixed(stack, name)
    runs = [stack.execute(workflow) for _ in range(2)]
    for run in runs:
        until_asked(stack, stack.bridge, workflow, run)
    stack.command("down")
    stack.sources = newer
    try:
        stack.again()
        approve(stack, stack.bridge, runs[0])
        stack.wait(workflow, runs[0], "COMPLETED")
        runs.append(stack.execute(workflow))
        until_asked(stack, stack.bridge, workflow, runs[2])
        stack.command("down")
    finally:
        stack.sources = ROOT
        stack.again()
    for run in runs[1:]:
        approve(stack, stack.bridge, run)
        stack.wait(workflow, run, "COMPLETED")
    assert effects(stack, name) == sorted(whole(name) * 3)
