"""What loops keep of what they have done: how much of it, in which form, and until when."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from automations.db.session import unit_of_work
from automations.db.tables import LoopCursor, LoopResult, Run
from automations.execution import loop_progress
from automations.execution.engine import Engine
from automations.execution.loop_log import MAX_LINES, IterationPath, LoopLog
from automations.execution.loop_records import (
    ItemDone,
    ItemFailed,
    NextAttempt,
    StepEnded,
    item_record,
    serialize,
    step_record,
)
from automations.execution.verdicts import GiveUp, Proceed, Skip, Sleep, Verdict
from automations.ports import HttpRequest, HttpResponse
from automations.services.runs import cancellations
from automations.services.waits import decisions
from automations.services.workflows import definitions
from automations.steps.outcomes import Fail
from tests.db.execution.loops.runs import loop, output
from tests.db.runs import begin, step, task
from tests.db.workspace import principal
from tests.doubles import ports

KILOBYTE = 1_000


class Service:
    """Answers with a kilobyte, and says whom it was asked by."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.cancels: Run | None = None

    def request(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(request.url.rpartition("/")[2])
        if self.cancels is not None:
            run = self.cancels
            cancellations.cancel(principal(run.workspace_id, name="ada"), run.workflow_id, run.id)
        return HttpResponse(200, {"content-type": "text/plain"}, b"x" * KILOBYTE, request.url)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def engine(database: str, service: Service) -> Engine:
    return Engine(ports(http=service))


def call(order: int = 0, **more: Any) -> dict[str, Any]:
    config = {"url": "https://a.example/{{loop.item}}"}
    return step("call", "http_request", order, config, **more)


def ask() -> dict[str, Any]:
    return step("ask", "approval", 0, {"message": "?"})


def at_most(kilobytes: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_progress, "MAX_RESULTS_BYTES", int(kilobytes * KILOBYTE))


def answered(engine: Engine, run: Run, parked: Verdict) -> Verdict:
    assert isinstance(parked, Sleep), parked
    decisions.resume(
        principal(run.workspace_id, name="ada"), run.id, decision="approved", data=None
    )
    return engine.resume(task(run, "loop"), parked.wait_id, None)


class TestSize:
    @pytest.mark.slow
    def test_results_are_counted_over_all_pauses_of_a_loop(
        self, engine: Engine, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at_most(2.5, monkeypatch)
        run = begin(loop(ask(), call(1), over=[1, 2, 3, 4]))
        verdict = engine.run(task(run, "loop"))
        for _ in range(3):
            verdict = answered(engine, run, verdict)
        assert isinstance(verdict, GiveUp)
        assert "results are larger" in verdict.error
        assert service.asked == ["1", "2", "3"]

    def test_as_much_as_may_be_is_kept_over_them(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at_most(5, monkeypatch)
        run = begin(loop(ask(), call(1), over=[1, 2, 3, 4]))
        verdict = engine.run(task(run, "loop"))
        for _ in range(4):
            verdict = answered(engine, run, verdict)
        assert isinstance(verdict, Proceed)
        assert output(run)["count"] == 4

    @pytest.mark.parametrize("last", ["inner", "light"])
    def test_what_a_loop_in_it_has_put_out_counts_as_long_as_it_is_kept(
        self, engine: Engine, service: Service, monkeypatch: pytest.MonkeyPatch, last: str
    ) -> None:
        at_most(4, monkeypatch)
        config = {"collection": "{{loop.item}}", "steps": [call()]}
        light = step("light", "condition", 0 if last == "inner" else 2, {"expression": "true"})
        run = begin(loop(light, step("inner", "loop", 1, config), over=[[1, 2, 3], [4, 5, 6]]))
        verdict = engine.run(task(run, "loop"))
        if last == "light":
            assert isinstance(verdict, Proceed)
            assert len(service.asked) == 6
        else:
            assert isinstance(verdict, GiveUp)
            assert "results are larger" in verdict.error


class TestStored:
    @pytest.mark.parametrize(
        ("record", "written"),
        [
            (StepEnded({"a": 1}), {"output": {"a": 1}}),
            (StepEnded({}, "then"), {"output": {}, "arm": "then"}),
            (StepEnded({}, stop=True), {"output": {}, "stop": True}),
            (
                NextAttempt(2, datetime(2030, 1, 2, 3, 4, 5, 6, UTC)),
                {"attempt": 2, "dueAt": "2030-01-02T03:04:05.000006+00:00"},
            ),
        ],
    )
    def test_what_a_step_came_to_is_read_as_it_was_written(
        self, record: StepEnded | NextAttempt, written: dict[str, Any]
    ) -> None:
        assert serialize(record) == written
        assert step_record({**written, "fromALaterVersion": 1}) == record

    @pytest.mark.parametrize(
        ("record", "written"),
        [
            (ItemDone([1]), {"output": [1]}),
            (ItemDone(None), {"output": None}),
            (ItemFailed("no", "mail"), {"error": {"message": "no", "kind": "mail"}}),
        ],
    )
    def test_so_is_what_an_iteration_came_to(
        self, record: ItemDone | ItemFailed, written: dict[str, Any]
    ) -> None:
        assert serialize(record) == written
        assert item_record({**written, "fromALaterVersion": 1}) == record

    def test_a_loop_that_an_earlier_version_has_left_goes_on_there(
        self, engine: Engine, service: Service
    ) -> None:
        run = begin(
            loop(
                step("if", "condition", 0, {"expression": "true"}),
                step("more", "condition", 1, {"expression": "true"}),
                call(2, onError="continue"),
                over=[1, 2, 3, 4],
                onItemError="continue",
            )
        )
        opened = {
            "2": {
                "if": {"output": {"result": False}},
                "more": {"output": {"error": {"message": "m", "kind": "k"}}, "arm": None},
                "call": {"attempt": 2, "dueAt": "2020-01-01T00:00:00+00:00"},
            }
        }
        entries = [
            {"output": {"status": 200}},
            {"error": {"message": "step 'call': busy", "kind": "mail"}},
        ]
        place: dict[str, Any] = {
            "run_id": run.id,
            "node_id": "loop",
            "generation": 0,
            "path": "",
        }
        with unit_of_work() as session:
            session.add(LoopResult(**place, index=0, entries=entries))
            session.add(LoopCursor(**place, open=opened, waiting=None))
        assert isinstance(engine.run(task(run, "loop")), Proceed)
        assert service.asked == ["3", "4"]
        done = output(run)
        assert done["results"][:2] == [{"status": 200}, None]
        assert [result["status"] for result in done["results"][2:]] == [200, 200]
        assert done["errors"] == [
            {"index": 1, "error": {"message": "step 'call': busy", "kind": "mail"}}
        ]


def test_a_run_that_is_cancelled_stops_a_loop_in_a_loop_whatever_their_errors_lead_to(
    engine: Engine, service: Service
) -> None:
    config = {"collection": [1, 2], "steps": [call()], "onItemError": "continue"}
    inner = step("inner", "loop", 0, config, onError="continue")
    run = begin(loop(inner, over=["a", "b"], onItemError="continue"))
    service.cancels = run
    assert isinstance(engine.run(task(run, "loop")), Skip)
    assert service.asked == ["1"]


def test_lines_of_several_items_at_once_are_all_there_and_no_more_than_may_be(
    engine: Engine,
) -> None:
    log = LoopLog({})
    run = begin(loop(call(), over=[1]))
    with unit_of_work() as session:
        (body,) = definitions.load(session, run.workflow_id, 1).definition.steps[0].config.steps

    def fail(count: int) -> None:
        for _ in range(count):
            log.add(IterationPath((0,)), body, Fail("no"), datetime.now(UTC))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fail, [MAX_LINES // 10] * 8))
        taken = len(log.take())
        assert taken == MAX_LINES // 10 * 8
        list(pool.map(fail, [MAX_LINES] * 8))
    assert taken + len(log.take()) == MAX_LINES
