"""What the run's log says of the steps in loops."""

from __future__ import annotations

from typing import Any

import pytest

from automations.db.tables import Run
from automations.domain.statuses import AttemptStatus
from automations.errors import StepError
from automations.execution import loop_log
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed, Sleep
from automations.services.runs import cancellations
from automations.services.waits import decisions
from tests.db.cutting import Killed
from tests.db.execution.loops.roles import Outbox
from tests.db.execution.loops.runs import loop, mail
from tests.db.runs import begin, logs, step, task
from tests.db.workspace import principal


def lines(run: Run) -> list[tuple[str, Any, str]]:
    return [(line.step_id, line.iteration, line.status) for line in logs(run)]


def light() -> dict[str, Any]:
    return step("light", "condition", 0, {"expression": "loop.item % 2 == 0"})


def test_each_step_of_each_iteration_has_a_line_before_the_loops_own(engine: Engine) -> None:
    run = begin(loop(light(), mail(body="hello", order=1), over=[1, 2]))
    engine.run(task(run, "loop"))
    assert lines(run) == [
        ("light", [0], "success"),
        ("mail", [0], "success"),
        ("light", [1], "success"),
        ("mail", [1], "success"),
        ("loop", None, "success"),
    ]
    first = logs(run)[0]
    assert (first.step_type, first.step_name) == ("condition", "light")
    assert first.output == '{"result": false}'


def test_a_line_in_a_loop_in_a_loop_names_both_items(engine: Engine) -> None:
    inner = step("inner", "loop", 0, {"collection": "{{loop.item}}", "steps": [light()]})
    run = begin(loop(inner, over=[[1], [2, 3]]))
    engine.run(task(run, "loop"))
    assert [line[:2] for line in lines(run)] == [
        ("light", [0, 0]),
        ("inner", [0]),
        ("light", [1, 0]),
        ("light", [1, 1]),
        ("inner", [1]),
        ("loop", None),
    ]


@pytest.mark.slow
def test_of_a_long_loop_the_first_and_last_ten_and_what_failed_are_logged(
    engine: Engine, outbox: Outbox
) -> None:
    outbox.failures["500"] = [StepError("gone", kind="mail")]
    note = mail(body="{{loop.item}}", order=1)
    run = begin(loop(light(), note, over="{{range(1000)}}", onItemError="continue"))
    assert isinstance(engine.run(task(run, "loop")), Proceed)
    edges = [*range(10), *range(990, 1000)]
    expected = [(name, [index]) for index in edges for name in ("light", "mail")]
    expected.insert(20, ("mail", [500]))
    assert [line[:2] for line in lines(run)] == [*expected, ("loop", None)]
    failed = [line for line in logs(run) if line.status == "failed"]
    assert ["gone" in line.output for line in failed] == [True]


def test_failures_are_logged_a_thousand_times_at_most(engine: Engine) -> None:
    broken = step("broken", "condition", 0, {"expression": "loop.item.a.b"})
    run = begin(loop(broken, over="{{range(1200)}}", onItemError="continue"))
    assert isinstance(engine.run(task(run, "loop")), Proceed)
    assert [line.status for line in logs(run)].count(AttemptStatus.FAILED) == 1_000


def test_they_are_counted_over_all_pauses_of_a_loop(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_log, "MAX_LINES", 3)
    ask = step("ask", "approval", 0, {"message": "?", "onReject": "fail"})
    run = begin(loop(ask, over=[1, 2, 3, 4, 5], onItemError="continue"))
    verdict = engine.run(task(run, "loop"))
    for _ in range(5):
        assert isinstance(verdict, Sleep)
        decisions.resume(principal(run.workspace_id), run.id, decision="rejected", data=None)
        verdict = engine.resume(task(run, "loop"), verdict.wait_id, None)
    assert isinstance(verdict, Proceed)
    assert [line[0] for line in lines(run)] == ["ask", "ask", "ask", "loop"]


def test_attempts_are_lines_too(engine: Engine, outbox: Outbox) -> None:
    outbox.failures["a"] = [StepError("busy", retryable=True), StepError("gone")]
    retry = {"maxAttempts": 2, "delay": "PT0.01S"}
    run = begin(loop(mail(retry=retry), over=["a"]))
    assert isinstance(engine.run(task(run, "loop")), GiveUp)
    assert lines(run) == [
        ("mail", [0], "retrying"),
        ("mail", [0], "failed"),
        ("loop", None, "failed"),
    ]


def test_a_crash_and_a_pause_write_no_line_twice(engine: Engine, outbox: Outbox) -> None:
    outbox.failures["b"] = [Killed()]
    ask = step("ask", "approval", 1, {"message": "?"})
    run = begin(loop(mail(), ask, over=["a", "b"]))
    parked = engine.run(task(run, "loop"))
    assert isinstance(parked, Sleep)
    assert lines(run) == [("mail", [0], "success")]
    decisions.resume(principal(run.workspace_id), run.id, decision="approved", data=None)
    with pytest.raises(Killed):
        engine.resume(task(run, "loop"), parked.wait_id, None)
    parked = engine.resume(task(run, "loop"), parked.wait_id, None)
    assert isinstance(parked, Sleep)
    decisions.resume(principal(run.workspace_id), run.id, decision="approved", data=None)
    engine.resume(task(run, "loop"), parked.wait_id, None)
    assert [line[:2] for line in lines(run)] == [
        ("mail", [0]),
        ("ask", [0]),
        ("mail", [1]),
        ("ask", [1]),
        ("loop", None),
    ]


def test_an_effect_is_on_record_also_when_the_run_was_cancelled_meanwhile(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(loop(mail(), over=["a", "b"]))
    sending = outbox.send

    def cancelling(mail: Any) -> Any:
        cancellations.cancel(principal(run.workspace_id, name="ada"), run.workflow_id, run.id)
        return sending(mail)

    outbox.send = cancelling  # type: ignore[method-assign]
    engine.run(task(run, "loop"))
    assert ("mail", [0], "success") in lines(run)
