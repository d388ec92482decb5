"""How the runs of tests stand in the real Airflow."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.conftest import Stack
from tests.waiting import until


def held(stack: Stack, name: str, order: int) -> dict[str, Any]:
    """A step whose answer comes when the gate is opened."""
    config = {"method": "POST", "url": f"{stack.counterparts.url}/held", "body": {"text": name}}
    return {"name": name, "type": "http_request", "order": order, "config": config}


def run_path(workflow: str, run: str) -> str:
    return f"/dags/automation_{workflow}/dagRuns/{run}"


def tasks(stack: Stack, workflow: str, run: str) -> list[dict[str, Any]]:
    """A run's tasks in Airflow, in the order of the steps."""
    path = f"{run_path(workflow, run)}/taskInstances"
    found = {task["task_id"]: task for task in stack.in_airflow("GET", path)["task_instances"]}
    steps = stack.client.workflows.get(workflow)["steps"]
    return [found[step["id"]] for step in steps]


def ended(stack: Stack, workflow: str, run: str, state: str = "success") -> list[dict[str, Any]]:
    def look() -> bool | None:
        found = stack.in_airflow("GET", run_path(workflow, run))["state"]
        assert found in ("queued", "running", state), found
        return found == state or None

    until(f"{run} to be {state} in Airflow", look)
    return tasks(stack, workflow, run)


def log_of(stack: Stack, workflow: str, run: str, task: dict[str, Any]) -> str:
    path = f"{run_path(workflow, run)}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
    return json.dumps(stack.in_airflow("GET", path)["content"])
