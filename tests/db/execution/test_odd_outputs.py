"""What a service answers is recorded whatever it is, or a crash would have its step done again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Run, RunStep
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed
from automations.ports import HttpRequest, HttpResponse
from tests.db.runs import begin, row, step, task
from tests.doubles import ports


class Service:
    """A service that answers with what it is told to."""

    def __init__(self) -> None:
        self.answer = HttpResponse(200, {"content-type": "application/json"}, b"{}", "")
        self.asked = 0

    def request(self, request: HttpRequest) -> HttpResponse:
        self.asked += 1
        return self.answer


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def engine(database: str, service: Service) -> Engine:
    return Engine(ports(http=service))


CALL = step("call", "http_request", 0, {"method": "POST", "url": "https://a.example"})


def called(engine: Engine, service: Service, content: bytes, status: int = 200, **more: str) -> Any:
    headers = {"content-type": "application/json", **more}
    service.answer = HttpResponse(status, headers, content, "https://a.example")
    run = begin(CALL)
    return engine.run(task(run, "call"))


def recorded(run: Run, node: str) -> RunStep:
    found = row(run, node)
    assert found is not None
    return found


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def test_json_of_a_hundred_levels_is_kept(engine: Engine, service: Service) -> None:
    assert isinstance(called(engine, service, deep(100)), Proceed)
    with unit_of_work() as session:
        run = session.scalars(select(Run)).one()
    done = recorded(run, "call")
    assert (done.status, (done.output or {})["body"]) == ("DONE", json.loads(deep(100)))


@pytest.mark.parametrize(
    "content",
    [
        *(b'{"a": NaN}', b'{"a": 1e999}', deep(101), deep(50_000), b"{", b"\xff"),
        *(rb'{"a": "x\u0000y"}', rb'{"a\u0000": 1}', rb'{"a": "\ud800"}', b'{"a": 1, "a": 2}'),
    ],
)
def test_json_that_cannot_be_kept_is_no_text_and_is_not_asked_for_again(
    engine: Engine, service: Service, content: bytes
) -> None:
    verdict = called(engine, service, content)
    assert isinstance(verdict, GiveUp)
    assert "With answerAs set to base64" in verdict.error
    with unit_of_work() as session:
        run = session.scalars(select(Run)).one()
    assert recorded(run, "call").status == "FAILED"
    assert service.asked == 1


def test_a_failure_with_odd_characters_is_recorded(engine: Engine, service: Service) -> None:
    assert isinstance(called(engine, service, b"\0\xff", 500), GiveUp)
    with unit_of_work() as session:
        run = session.scalars(select(Run)).one()
    assert (recorded(run, "call").output or {})["excerpt"] == "\ufffd\ufffd"


def test_what_cannot_be_kept_fails_the_step_by_name(engine: Engine, service: Service) -> None:
    odd: Any = {"x": object()}
    service.answer = HttpResponse(200, odd, b"", "https://a.example")
    run = begin(CALL)
    verdict = engine.run(task(run, "call"))
    assert isinstance(verdict, GiveUp)
    assert "step 'call': what it puts out holds object" in verdict.error
    assert "(headers.x)" in verdict.error


def test_the_same_holds_in_a_loop(engine: Engine, service: Service) -> None:
    service.answer = HttpResponse(200, {"x": "a\0b"}, b"", "https://a.example")
    loop = {"collection": [1, 2], "steps": [CALL], "onItemError": "continue"}
    run = begin(step("loop", "loop", 0, loop))
    engine.run(task(run, "loop"))
    errors = (recorded(run, "loop").output or {})["errors"]
    assert ["NUL character (headers.x)" in error["error"]["message"] for error in errors] == [
        True
    ] * 2
    assert service.asked == 2
