"""What the engine logs of steps, in whichever process runs them."""

from __future__ import annotations

import logging

import pytest

from automations.execution.engine import Engine
from automations.ports import HttpRequest, HttpResponse
from automations.services.integrations import secrets
from tests import journal
from tests.db.runs import begin, step, task
from tests.doubles import ports

VALUE = "s3cret-v4lue"


class Chatty:
    """A service behind a library that logs what it sends."""

    def request(self, request: HttpRequest) -> HttpResponse:
        logging.getLogger("chatty").warning("Sending %s", request.headers)
        return HttpResponse(200, {}, b"", request.url)


@pytest.fixture
def engine(database: str) -> Engine:
    return Engine(ports(http=Chatty()))


def test_lines_of_a_step_have_its_ids_and_none_of_its_secrets(engine: Engine) -> None:
    config = {"url": "https://a.example", "auth": {"type": "bearer", "secret": "KEY"}}
    run = begin(step("Call", "http_request", 0, config))
    secrets.put(run.workspace_id, "KEY", VALUE)
    with journal.kept() as logged:
        engine.run(task(run, "Call"))
    (sent,) = logged.of("chatty")
    assert VALUE not in logged.text
    assert "***" in sent["event"]
    assert (sent["runId"], sent["stepId"]) == (run.id, "Call")
    assert sent["workflowId"] == run.workflow_id


@pytest.mark.parametrize("workers", [1, 3])
def test_so_have_those_of_steps_inside_a_loop(engine: Engine, workers: int) -> None:
    inner = step(
        "Call",
        "http_request",
        0,
        {"url": "https://a.example", "auth": {"type": "bearer", "secret": "KEY"}},
    )
    config = {"collection": "{{[1, 2, 3]}}", "concurrency": workers, "steps": [inner]}
    run = begin(step("Each", "loop", 0, config))
    secrets.put(run.workspace_id, "KEY", VALUE)
    with journal.kept() as logged:
        engine.run(task(run, "Each"))
    sent = logged.of("chatty")
    assert len(sent) == 3
    assert VALUE not in logged.text
    assert {(line["runId"], line["stepId"]) for line in sent} == {(run.id, "Each")}
