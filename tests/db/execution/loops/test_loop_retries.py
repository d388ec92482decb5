"""Attempts at steps in loops: those far apart hold no worker, and none is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import LoopCursor, Run, Wait
from automations.domain.statuses import WaitKind
from automations.errors import Conflict, StepError
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed, Sleep, Verdict
from automations.services.waits import decisions
from tests.db.cutting import Killed
from tests.db.execution.loops.roles import Outbox
from tests.db.execution.loops.runs import kept, loop, mail, output
from tests.db.runs import begin, logs, open_wait, reload, step, task
from tests.db.workspace import principal

RETRY = {"maxAttempts": 3, "backoff": "fixed", "delay": "PT10M", "maxDelay": "PT1H"}


def busy(times: int = 1) -> list[BaseException]:
    return [StepError("busy", kind="mail", retryable=True) for _ in range(times)]


def sleeps(verdict: Verdict, minutes: float = 10) -> Sleep:
    assert isinstance(verdict, Sleep), verdict
    time_left = verdict.until - datetime.now(UTC)
    assert timedelta(minutes=minutes - 1) < time_left <= timedelta(minutes=minutes)
    return verdict


def wake(engine: Engine, run: Run, verdict: Verdict) -> Verdict:
    """Let the time come for which the loop waits."""
    asleep = sleeps(verdict)
    past = datetime.now(UTC) - timedelta(seconds=1)
    with unit_of_work() as session:
        session.get_one(Wait, asleep.wait_id).due_at = past
        for cursor in session.scalars(select(LoopCursor)):
            cursor.open = {
                index: {
                    name: {**record, "dueAt": past.isoformat()} if "dueAt" in record else record
                    for name, record in steps.items()
                }
                for index, steps in cursor.open.items()
            }
    return engine.resume(task(run, "loop"), asleep.wait_id, None)


def test_a_far_attempt_parks_the_loop_and_the_run_goes_on_as_running(
    engine: Engine, outbox: Outbox
) -> None:
    outbox.failures["b"] = busy()
    run = begin(loop(mail(retry=RETRY), over=["a", "b", "c"]))
    parked = sleeps(engine.run(task(run, "loop")))
    assert outbox.bodies == ["a"]
    assert reload(run).status == "RUNNING"
    assert engine.run(task(run, "loop")) == parked
    assert engine.resume(task(run, "loop"), parked.wait_id, None) == parked  # woken too early
    assert isinstance(wake(engine, run, parked), Proceed)
    assert outbox.bodies == ["a", "b", "c"]
    assert kept() == 0


def test_attempts_are_counted_over_pauses_and_crashes(engine: Engine, outbox: Outbox) -> None:
    outbox.failures["a"] = [*busy(), Killed(), *busy(2)]
    run = begin(loop(mail(retry=RETRY), over=["a"]))
    parked = engine.run(task(run, "loop"))
    with pytest.raises(Killed):
        wake(engine, run, parked)
    parked = engine.run(task(run, "loop"))  # the second attempt, which was cut short
    assert isinstance(parked, Sleep)
    parked = engine.resume(task(run, "loop"), parked.wait_id, None)
    assert wake(engine, run, parked) == GiveUp("loop: item 0, step 'mail': busy")
    assert outbox.failures["a"] == []
    assert [line.status for line in logs(run)] == ["retrying", "retrying", "failed", "failed"]


def test_near_attempts_are_waited_for_and_are_counted_over_a_crash(
    engine: Engine, outbox: Outbox
) -> None:
    outbox.failures["a"] = [*busy(), Killed(), *busy(9)]
    retry = {"maxAttempts": 3, "backoff": "fixed", "delay": "PT0.01S"}
    run = begin(loop(mail(retry=retry), over=["a"]))
    with pytest.raises(Killed):
        engine.run(task(run, "loop"))
    assert isinstance(engine.run(task(run, "loop")), GiveUp)
    assert len(outbox.failures["a"]) == 7


def test_with_several_items_at_once_the_others_go_on_meanwhile(
    engine: Engine, outbox: Outbox
) -> None:
    outbox.failures = {"a": busy(), "c": busy(2)}
    run = begin(loop(mail(retry=RETRY), over=list("abcdef"), concurrency=2))
    parked = sleeps(engine.run(task(run, "loop")))
    assert sorted(outbox.bodies) == ["b", "d", "e", "f"]
    parked = sleeps(wake(engine, run, parked))
    assert sorted(outbox.bodies) == ["a", "b", "d", "e", "f"]
    assert isinstance(wake(engine, run, parked), Proceed)
    assert [result["messageId"].rpartition(":")[2] for result in output(run)["results"]] == [
        f"0[{index}]/mail>" for index in range(6)
    ]


def test_a_loop_in_a_loop_parks_both(engine: Engine, outbox: Outbox) -> None:
    outbox.failures = {"b": busy()}
    inner = step("inner", "loop", 0, {"collection": "{{loop.item}}", "steps": [mail(retry=RETRY)]})
    run = begin(loop(inner, over=[["a", "b"], ["c"]]))
    parked = engine.run(task(run, "loop"))
    assert isinstance(wake(engine, run, parked), Proceed)
    assert outbox.bodies == ["a", "b", "c"]


def test_a_loop_in_a_loop_is_itself_tried_again_later(engine: Engine, outbox: Outbox) -> None:
    outbox.failures = {"b": busy()}
    config = {"collection": "{{loop.item}}", "steps": [mail()]}
    run = begin(loop(step("inner", "loop", 0, config, retry=RETRY), over=[["a", "b"], ["c"]]))
    parked = engine.run(task(run, "loop"))
    assert outbox.bodies == ["a"]
    assert isinstance(wake(engine, run, parked), Proceed)
    assert outbox.bodies == ["a", "b", "c"]


def test_a_step_that_has_its_answer_is_not_asked_again_when_it_is_tried_again(
    engine: Engine, outbox: Outbox
) -> None:
    outbox.failures = {"a": busy()}
    ask = step("ask", "approval", 0, {"message": "?"})
    run = begin(loop(ask, mail(order=1, retry=RETRY), over=["a"]))
    asked = engine.run(task(run, "loop"))
    assert isinstance(asked, Sleep)
    decisions.resume(principal(run.workspace_id), run.id, decision="approved", data=None)
    parked = engine.resume(task(run, "loop"), asked.wait_id, None)
    assert isinstance(wake(engine, run, parked), Proceed)
    assert outbox.bodies == ["a"]


def test_an_attempt_beyond_the_loops_timeout_is_not_waited_for(
    engine: Engine, outbox: Outbox
) -> None:
    outbox.failures = {"a": busy()}
    run = begin({**loop(mail(retry=RETRY), over=["a"]), "timeout": "PT5M"})
    verdict = engine.run(task(run, "loop"))
    assert isinstance(verdict, GiveUp)
    assert "timeout" in verdict.error


def test_it_cannot_be_resumed_by_hand(engine: Engine, outbox: Outbox) -> None:
    outbox.failures = {"a": busy()}
    run = begin(loop(mail(retry=RETRY), over=["a"]))
    sleeps(engine.run(task(run, "loop")))
    assert open_wait(run).kind == WaitKind.RETRY
    with pytest.raises(Conflict, match="tries a step again"):
        decisions.resume(principal(run.workspace_id), run.id, decision=None, data=None)


def test_what_the_other_side_wishes_is_kept_also_when_it_is_long(
    engine: Engine, outbox: Outbox
) -> None:
    wish: Any = StepError("busy", retryable=True, retry_after=timedelta(minutes=40))
    outbox.failures = {"a": [wish]}
    run = begin(loop(mail(retry={"maxAttempts": 2, "delay": "PT1S"}), over=["a"]))
    sleeps(engine.run(task(run, "loop")), 40)
