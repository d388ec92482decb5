"""Our engine, as ``./automations up`` starts it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import requests

from tests.bench.compare.shapes import Measure, Shape
from tests.bench.first_run import APPROVAL, LIGHT
from tests.bench.measuring import answer_of, until
from tests.bench.product import TIMEOUT, Stack


class Ours:
    """A stack of ours.

    Args:
        definition: what each automation has beside its steps.
        settings: of the stack's environment.
    """

    def __init__(
        self, name: str, home: Path, definition: Mapping[str, Any] | None = None, **settings: str
    ) -> None:
        self.name = name
        self._definition = definition or {}
        self._stack = Stack(home, **settings)
        self._chains: dict[int, str] = {}

    def up(self, shapes: Sequence[Shape]) -> None:
        self._stack.up()

    def down(self) -> None:
        self._stack.down()

    def pids(self) -> list[int]:
        return self._stack.pids()

    def measure(self, shape: Shape) -> Measure | None:
        match shape.kind:
            case "chain":
                return partial(self._stack.time_run, self._chain(shape.size))
            case "burst":
                return partial(self._stack.time_burst, self._chain(shape.size), shape.runs)
            case "branch":
                return partial(self._stack.time_run, self._made("Branch", [_branch()]))
            case "loop":
                return partial(self._stack.time_run, self._made("Loop", [_loop(shape.size)]))
            case "child":
                return partial(self._stack.time_run, self._parent())
            case "approval":
                return partial(self._answer, self._made("Asked", [APPROVAL, _light("After")]))
            case "webhook":
                return partial(self._deliver, self._hooked(shape.size))

    def _chain(self, size: int) -> str:
        if size not in self._chains:
            steps = [_light(f"Step {number}") for number in range(size)]
            self._chains[size] = self._made(f"{size} steps", steps)
        return self._chains[size]

    def _made(self, name: str, steps: Sequence[Mapping[str, Any]], **more: Any) -> str:
        workflow = self._stack.create(name, steps, **self._definition, **more)
        self._stack.wait_runnable(workflow)
        return workflow

    def _parent(self) -> str:
        child = self._made("Child", [_light("In the child")])
        config = {"workflowId": child, "waitForCompletion": True}
        return self._made("Parent", [{"name": "Start", "type": "run_workflow", "config": config}])

    def _hooked(self, size: int) -> str:
        trigger = {"type": "webhook", "verification": "none", "respond": "result"}
        steps = [_light(f"Step {number}") for number in range(size)]
        workflow = self._made("Hooked", steps, trigger=trigger)
        return str(self._stack.get(f"/api/workflows/{workflow}")["webhookUrl"])

    def _answer(self, workflow: str) -> float:
        """Seconds from the answer to an approval to the end of the step behind it."""
        run = self._stack.execute(workflow)
        path = f"/api/workflows/{workflow}/runs/{run}"

        def asked() -> bool | None:
            return self._stack.get(path)["run"]["status"] == "PAUSED" or None

        until("the question", asked, TIMEOUT)
        began = time.monotonic()
        self._stack.post(f"/api/workflows/runs/{run}/resume", {"decision": "approved"})
        self._stack.wait_completed(workflow, run)
        return time.monotonic() - began

    @staticmethod
    def _deliver(url: str) -> float:
        began = time.monotonic()
        answer_of(requests.post(url, json={}, timeout=TIMEOUT))
        return time.monotonic() - began


def _light(name: str) -> dict[str, Any]:
    return {"name": name, **LIGHT}


def _branch() -> dict[str, Any]:
    arms = {
        arm: [{**_light(f"{arm} {number}"), "order": number} for number in range(2)]
        for arm in ("then", "else")
    }
    return {"name": "Which", "type": "condition", "config": {**LIGHT["config"], **arms}}


def _loop(items: int) -> dict[str, Any]:
    config = {"collection": list(range(items)), "steps": [{**_light("Each"), "order": 0}]}
    return {"name": "All", "type": "loop", "config": config}
