"""The log of a task, as people read it in Airflow."""

from __future__ import annotations

from typing import Any

from automations.definitions.published import dag_id
from tests.e2e.automations import approval, delay, echo, fetch, put_secret
from tests.e2e.conftest import Stack
from tests.waiting import until

VALUE = "s3cret-of-a-log"


class TaskLog:
    """What Airflow shows of one try of a task, once it is in a state."""

    def __init__(
        self, stack: Stack, workflow: str, run: str, step: str, state: str, attempt: int = 1
    ) -> None:
        steps = stack.client.workflows.get(workflow)["steps"]
        node = next(one["id"] for one in steps if one["name"] == step)
        task = f"/dags/{dag_id(workflow)}/dagRuns/{run}/taskInstances/{node}"
        until(
            f"{step} to be {state}",
            lambda: True if stack.in_airflow("GET", task)["state"] == state else None,
        )
        self._task, self._stack = task, stack
        answer = stack.in_airflow("GET", f"{task}/logs/{attempt}?full_content=true")
        self.lines: list[dict[str, Any]] = answer["content"]

    @property
    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]

    @property
    def errors(self) -> list[str]:
        return [line["event"] for line in self.lines if line.get("level") == "error"]

    def has(self, *parts: str) -> bool:
        return all(any(part in event for event in self.events) for part in parts)

    def rendered(self) -> Any:
        """What *Rendered Templates* shows, which Airflow is told when a task has ended."""

        def look() -> Any:
            return self._stack.in_airflow("GET", self._task)["rendered_fields"].get("config")

        return until("the rendered templates", look)

    def check(self) -> None:
        """What holds for every log: no inside of Airflow's, and no server that is not there."""
        text = str(self.lines)
        assert "Could not read served logs" not in text
        assert "error_detail" not in text, text
        assert "Traceback" not in text
        assert VALUE not in text


def test_the_log_of_a_task_is_the_log_of_its_step(stack: Stack) -> None:
    put_secret(stack, "LOG", VALUE)
    items = {
        "collection": "{{range(25) | list}}",
        "onItemError": "continue",
        "steps": [
            {
                "name": "Half",
                "type": "code",
                "order": 0,
                "config": {
                    "input": "{{loop.item}}",
                    "code": "if (input === 12) throw new Error('no half'); return input / 2",
                },
            }
        ],
    }
    script = {"input": "{{secret.LOG}}", "code": "console.log(`it is ${input}`); return {input}"}
    is_there = {"rules": [{"field": "{{secret.LOG}}", "operator": "exists"}]}
    workflow = stack.create(
        echo(stack, "Send", 0, "{{secret.LOG}}"),
        {"name": "Script", "type": "code", "order": 1, "config": script},
        {"name": "Each", "type": "loop", "order": 2, "config": items},
        {"name": "There?", "type": "condition", "order": 3, "config": is_there},
    )
    run = stack.execute(workflow)
    stack.wait(workflow, run, "COMPLETED")
    send, code, loop, condition = (
        TaskLog(stack, workflow, run, name, "success")
        for name in ("Send", "Script", "Each", "There?")
    )
    for log in (send, code, loop, condition):
        log.check()
        assert log.has("Configuration:", "Done after ", f"run {run}")
    assert send.has(f"POST {stack.counterparts.url}/echo answered 200 in ", "  body: {")
    assert code.has("console: it is ***")
    assert condition.has('config.rules.0: "***" exists holds.')
    assert send.rendered()["body"] == {"text": "***"}
    assert code.rendered()["input"] == "***"
    assert loop.has("item 0, step 'Half': Done", "item 24, step 'Half': Done", "Of 25 items, 1")
    assert not loop.has("item 11, ")
    (error,) = loop.errors
    assert error.startswith("item 12, step 'Half': Failed after ")
    assert "no half" in error


def test_a_failure_is_told_without_the_way_that_it_took_through_airflow(stack: Stack) -> None:
    nobody = f"http://127.0.0.1:{stack.demo_port}/nobody"
    step = {**fetch(0, nobody), "retry": {"maxAttempts": 2, "delay": "PT1S"}}
    workflow = stack.create(step)
    run = stack.execute(workflow)
    failed = stack.wait(workflow, run, "FAILED")
    assert "cannot be reached" in failed["error"]
    first, second = (TaskLog(stack, workflow, run, "Fetch", "failed", number) for number in (1, 2))
    for log in (first, second):
        log.check()
        assert any("(connection): 127.0.0.1 cannot be reached" in error for error in log.errors)
    assert first.has("attempt 1 of 2", "It is tried again in ")
    assert second.has("attempt 2 of 2", "The run fails with it.")


def test_the_log_of_a_task_that_waits_says_for_what_and_then_who_decided(stack: Stack) -> None:
    workflow = stack.create(approval(), {**delay("PT1H"), "order": 1})
    run = stack.execute(workflow)
    stack.wait(workflow, run, "PAUSED")
    waiting = TaskLog(stack, workflow, run, "Ask", "awaiting_input")
    waiting.check()
    assert waiting.has("Waits for a decision by ", " until ")
    assert waiting.rendered()["message"] == "OK?"
    stack.client.runs.resume(run, decision="approved")
    asleep = TaskLog(stack, workflow, run, "Wait", "deferred")
    asleep.check()
    assert asleep.has("Waits until ")
    decided = TaskLog(stack, workflow, run, "Ask", "success")
    decided.check()
    assert decided.has(" goes on: approved by ")
    stack.client.runs.cancel(workflow, run)
    server = (stack.home / "logs" / "api-server.log").read_text()
    assert "Could not read served logs" not in server
