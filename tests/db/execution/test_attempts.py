"""What holds for every attempt at a step: at a node, in a loop's body, or in a test of one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, select

from automations.adapters.quickjs.runner import QuickJsRunner
from automations.db.session import engine as database_engine
from automations.db.session import unit_of_work
from automations.db.tables import Run, SecurityEvent
from automations.errors import StepError
from automations.execution import step_tests
from automations.execution.attempts import MAX_TRACEBACKS
from automations.execution.engine import Engine
from automations.execution.trial_data import TrialData
from automations.execution.verdicts import GiveUp, Proceed, Retry
from automations.ports import HttpRequest, HttpResponse
from automations.services.integrations import secrets
from tests import journal
from tests.db.delays import let_pass
from tests.db.runs import begin, step, task
from tests.db.workspace import principal
from tests.doubles import ports

VALUE = "s3cret-v4lue"
AUTH = {"type": "bearer", "secret": "KEY"}
CALL = {"url": "https://a.example", "auth": AUTH}


class Service:
    """Fails as it is told."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.keys: list[str | None] = []

    def request(self, request: HttpRequest) -> HttpResponse:
        if self.error is not None:
            raise self.error
        self.keys.append(dict(request.headers).get("authorization"))
        return HttpResponse(200, {}, b"", request.url)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def engine(database: str, service: Service) -> Engine:
    return Engine(ports(http=service))


def call(**more: Any) -> dict[str, Any]:
    return step("call", "http_request", 0, CALL, **more)


def each(items: Any = (1,), **config: Any) -> dict[str, Any]:
    return step("each", "loop", 0, {"collection": items, "steps": [call()], **config})


def begun(*steps: dict[str, Any]) -> Run:
    run = begin(*steps)
    secrets.put(run.workspace_id, "KEY", VALUE)
    return run


def as_a_node(engine: Engine) -> None:
    engine.run(task(begun(call()), "call"))


def in_a_loop(engine: Engine) -> None:
    engine.run(task(begun(each([1])), "each"))


def in_a_loop_in_a_loop(engine: Engine) -> None:
    config = {"collection": [1], "steps": [each([1])]}
    engine.run(task(begun(step("outer", "loop", 0, config)), "outer"))


def in_a_step_test(engine: Engine) -> None:
    run = begun(call())
    step_tests.run(engine, principal(run.workspace_id), run.workflow_id, "call", TrialData())


Doing = Callable[[Engine], None]
everywhere = pytest.mark.parametrize(
    "do", [as_a_node, in_a_loop, in_a_loop_in_a_loop, in_a_step_test]
)


@everywhere
def test_an_address_that_is_blocked_is_one_security_event_of_the_step_that_named_it(
    engine: Engine, service: Service, do: Doing
) -> None:
    service.error = StepError(f"{VALUE} is not a public address.", kind="blocked")
    do(engine)
    with unit_of_work() as session:
        noted = session.scalars(select(SecurityEvent)).one()
    assert (noted.type, noted.severity) == ("ssrf.blocked", "HIGH")
    assert noted.details["stepId"] == "call"
    assert noted.details["error"] == "*** is not a public address."


def test_in_a_loop_it_says_in_which_iteration(engine: Engine, service: Service) -> None:
    service.error = StepError("no", kind="blocked")
    engine.run(task(begun(each([1, 2], onItemError="continue")), "each"))
    with unit_of_work() as session:
        noted = session.scalars(select(SecurityEvent)).all()
    assert sorted(line.details["iteration"] for line in noted) == [[0], [1]]


@everywhere
def test_a_bug_is_logged_with_its_traceback_and_without_secrets(
    engine: Engine, service: Service, do: Doing
) -> None:
    service.error = KeyError(f"nothing at {VALUE}")
    with journal.kept() as logged:
        do(engine)
    (line,) = logged.of("automations.execution.attempts")
    assert "step 'call' of type http_request raised\nTraceback" in line["event"]
    assert "nothing at ***" in line["event"]
    assert VALUE not in logged.text


def test_of_a_bug_that_every_item_meets_the_first_tracebacks_are_logged(
    engine: Engine, service: Service
) -> None:
    service.error = KeyError("x")
    run = begun(each(list(range(2 * MAX_TRACEBACKS)), onItemError="continue"))
    with journal.kept() as logged:
        engine.run(task(run, "each"))
    assert len(logged.of("automations.execution.attempts")) == MAX_TRACEBACKS


@pytest.mark.parametrize("workers", [1, 5])
def test_a_secret_is_read_once_for_all_items(
    engine: Engine, service: Service, workers: int
) -> None:
    run = begun(each(list(range(20)), concurrency=workers))
    read: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM secret" in statement:
            read.append(statement)

    event.listen(database_engine(), "before_cursor_execute", note)
    try:
        engine.run(task(run, "each"))
    finally:
        event.remove(database_engine(), "before_cursor_execute", note)
    assert service.keys == [f"Bearer {VALUE}"] * 20
    assert len(read) == 1


def test_a_config_that_does_not_fit_is_told_in_the_words_of_a_definition(engine: Engine) -> None:
    run = begun(each("{{run.id}}"))
    verdict = engine.run(task(run, "each"))
    assert isinstance(verdict, GiveUp)
    assert verdict.error == "each: step 'each', config.collection: must be a list or an object"


def test_a_script_that_throws_is_run_again_when_its_step_says_so(database: str) -> None:
    throws = {"code": "if (!variables.done) throw new Error('not yet'); return 1"}
    retry = {"maxAttempts": 2, "on": ["script"]}
    run = begin(step("count", "code", 0, throws, retry=retry))
    engine = Engine(ports(scripts=QuickJsRunner()))
    assert isinstance(engine.run(task(run, "count")), Retry)
    with unit_of_work() as session:
        session.get_one(Run, run.id).variables = {"done": True}
    let_pass(run, "count")
    assert isinstance(engine.run(task(run, "count")), Proceed)
