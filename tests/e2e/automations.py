"""Steps of the automations that are tried, and what their runs come to."""

from __future__ import annotations

from typing import Any

from tests.e2e.conftest import Stack
from tests.waiting import until


def email(name: str, order: int, to: str, body: str = "Hello") -> dict[str, Any]:
    config = {"to": to, "subject": "Test", "body": body}
    return {"name": name, "type": "email", "order": order, "config": config}


def approval(**config: Any) -> dict[str, Any]:
    return {
        "name": "Ask",
        "type": "approval",
        "order": 0,
        "config": {"message": "OK?", **config},
    }


def delay(duration: str) -> dict[str, Any]:
    return {"name": "Wait", "type": "delay", "order": 0, "config": {"duration": duration}}


def outputs(run: dict[str, Any]) -> dict[str, Any]:
    names = {line["stepId"]: line["stepName"] for line in run["logs"]}
    return {names[node]: output for node, output in run["state"]["stepOutputs"].items()}


def required_action(stack: Stack, workflow: str, run: str) -> dict[str, Any]:
    path = f"/dags/automation_{workflow}/dagRuns/{run}/hitlDetails"

    def look() -> dict[str, Any] | None:
        found = stack.in_airflow("GET", path)["hitl_details"]
        waiting = [
            answer for answer in found if answer["task_instance"]["state"] == "awaiting_input"
        ]
        return waiting[0] if waiting else None

    return until("the required action", look)


def fetch(order: int, url: str) -> dict[str, Any]:
    config = {"method": "GET", "url": url}
    return {"name": "Fetch", "type": "http_request", "order": order, "config": config}


def first_run(stack: Stack, workflow: str, seconds: float = 180) -> str:
    def look() -> str | None:
        runs = stack.api("GET", f"/api/workflows/{workflow}/runs")["runs"]
        return runs[0]["id"] if runs else None

    return until("a run", look, seconds)


def echo(stack: Stack, name: str, order: int, text: str) -> dict[str, Any]:
    """A step that is told the text that it sent."""
    config = {"method": "POST", "url": f"{stack.counterparts.url}/echo", "body": {"text": text}}
    return {"name": name, "type": "http_request", "order": order, "config": config}


def echoed(stack: Stack) -> list[str]:
    return [body["text"] for path, body in stack.counterparts.posted if path == "/echo"]


def put_secret(stack: Stack, name: str, value: str) -> None:
    stack.api("PUT", f"/api/secrets/{name}", {"value": value})
