"""Steps that are done in the process of one before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from automations.db import locks
from automations.db.runs import runs
from automations.db.session import engine as database_engine
from automations.db.session import unit_of_work
from automations.db.tables import Run
from automations.domain.statuses import RunStatus
from automations.errors import StepError
from automations.execution import run_ahead
from automations.execution.engine import Engine, lock_name
from automations.execution.journal import Journal
from automations.execution.run_ahead import Leg
from automations.execution.verdicts import GiveUp, Proceed, Retry, Sleep, TaskRef, Verdict
from automations.services.runs import cancellations
from tests.db.cutting import Killed
from tests.db.delays import let_pass
from tests.db.roles import Outbox
from tests.db.runs import MAIL, begin, logs, reload, row, step, task
from tests.db.workspace import principal

MINUTE = timedelta(minutes=1)


def mail(name: str, order: int = 0, **more: Any) -> dict[str, Any]:
    return step(name, "email", order, {**MAIL, "subject": name}, **more)


def condition(name: str, order: int, expression: str, **arms: Any) -> dict[str, Any]:
    return step(name, "condition", order, {"expression": expression, **arms})


def lead(
    engine: Engine,
    ref: TaskRef,
    budget: timedelta = MINUTE,
    within: Callable[[str], object] = lambda _: None,
) -> Leg:
    """What a task's process does: its own step, those behind it, and then it hands over.

    Args:
        within: is called with each node that was begun, before it is done.
    """

    @contextmanager
    def host(node_id: str) -> Iterator[Journal]:
        within(node_id)
        yield Journal()

    done = engine.run(ref)
    assert isinstance(done, Proceed)
    run_ahead.run_following(engine, ref, done, host, budget)
    return run_ahead.leg(ref, done)


def names(leg: Leg) -> list[str]:
    return [one.node_id for one in leg.done_ahead]


def subjects(outbox: Outbox) -> list[str]:
    return [sent.subject for sent in outbox.sent]


def test_all_light_steps_behind_one_are_done_in_its_process_and_the_run_is_complete(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(*(mail(name, order) for order, name in enumerate("abcde")))
    leg = lead(engine, task(run, "a"))
    assert names(leg) == ["b", "c", "d", "e"]
    assert subjects(outbox) == ["a", "b", "c", "d", "e"]
    assert reload(run).status == "COMPLETED"
    assert [line.step_id for line in logs(run)] == ["a", "b", "c", "d", "e"]
    starts = [one.started_at for one in leg.done_ahead]
    assert starts == sorted(starts)
    assert all(one.started_at <= one.ended_at for one in leg.done_ahead)
    assert leg.done_ahead[0].config["subject"] == "b"


def test_a_task_that_comes_after_all_is_answered_what_is_on_record(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(mail("a"), mail("b", 1), mail("c", 2))
    lead(engine, task(run, "a"))
    verdict = engine.run(task(run, "b"))
    assert isinstance(verdict, Proceed)
    assert verdict.repeated
    assert verdict.summary["provider"] == "test"
    assert subjects(outbox) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("delay", {"duration": "PT1H"}),
        ("approval", {"approvers": ["boss@b.example"], "message": "OK?"}),
        ("http_request", {"url": "https://a.example/{{callback.url}}", "waitForCallback": True}),
        ("ai", {"prompt": "Hello"}),
        ("loop", {"collection": [1], "steps": [mail("inner")]}),
        ("generate_document", {"templateId": "t", "data": {}}),
    ],
)
def test_what_may_wait_or_is_heavy_is_left_to_its_own_task(
    engine: Engine, kind: str, config: dict[str, Any]
) -> None:
    run = begin(mail("a"), mail("b", 1), step("own", kind, 2, config), mail("c", 3))
    assert names(lead(engine, task(run, "a"))) == ["b"]
    assert row(run, "own") is None
    assert reload(run).status == "RUNNING"


def test_it_goes_through_branches_and_says_what_is_left_out(engine: Engine, outbox: Outbox) -> None:
    inner = condition("inner", 0, "false", then=[mail("x")], **{"else": [mail("y")]})
    run = begin(
        mail("a"),
        condition("outer", 1, "true", then=[inner, mail("z", 1)], **{"else": [mail("w")]}),
        mail("end", 2),
    )
    leg = lead(engine, task(run, "a"))
    assert names(leg) == ["outer", "inner", "y", "z", "end"]
    assert set(leg.left_out) == {"x", "w"}
    assert subjects(outbox) == ["a", "y", "z", "end"]
    assert reload(run).status == "COMPLETED"


def test_a_step_that_stops_the_run_leaves_all_behind_it_out(engine: Engine) -> None:
    stop = condition("check", 1, "false", stop=True)
    run = begin(mail("a"), stop, mail("b", 2), mail("c", 3))
    leg = lead(engine, task(run, "a"))
    assert names(leg) == ["check"]
    assert leg.done_ahead[0].verdict.targets == ()
    assert set(leg.left_out) == {"b", "c"}
    assert reload(run).status == "COMPLETED"


def test_a_step_that_is_tried_again_ends_it_and_keeps_its_delay_in_its_own_task(
    engine: Engine, outbox: Outbox
) -> None:
    retry = {"maxAttempts": 2, "delay": "PT5M", "backoff": "fixed"}
    run = begin(mail("a"), mail("b", 1, retry=retry), mail("c", 2))

    def fail(node: str) -> None:
        outbox.failures = [StepError("busy", kind="mail", retryable=True)]

    assert names(lead(engine, task(run, "a"), within=fail)) == []
    early = engine.run(task(run, "b"))
    assert isinstance(early, Retry)
    assert timedelta(minutes=4) < early.delay < timedelta(minutes=5)
    assert subjects(outbox) == ["a"]
    let_pass(run, "b")
    assert names(lead(engine, task(run, "b"))) == ["c"]
    assert reload(run).status == "COMPLETED"


def test_a_step_that_fails_ends_it_and_fails_in_its_own_task_too(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(mail("a"), mail("b", 1), mail("c", 2), mail("d", 3))

    def fail(node: str) -> None:
        if node == "c":
            outbox.failures = [StepError("no", kind="mail")]

    assert names(lead(engine, task(run, "a"), within=fail)) == ["b"]
    assert reload(run).status == "FAILED"
    assert isinstance(engine.run(task(run, "c")), GiveUp)
    assert row(run, "d") is None


def test_a_failure_that_is_passed_over_does_not_end_it(engine: Engine, outbox: Outbox) -> None:
    run = begin(mail("a"), mail("b", 1, onError="continue"), mail("c", 2))

    def fail(node: str) -> None:
        if node == "b":
            outbox.failures = [StepError("no", kind="mail")]

    assert names(lead(engine, task(run, "a"), within=fail)) == ["b", "c"]
    assert reload(run).status == "COMPLETED"


def test_a_run_that_is_cancelled_meanwhile_goes_no_further(engine: Engine, outbox: Outbox) -> None:
    run = begin(mail("a"), mail("b", 1), mail("c", 2), mail("d", 3))

    def cancel(node: str) -> None:
        if node == "c":
            owner = principal(run.workspace_id)
            cancellations.cancel(owner, run.workflow_id, run.id)

    assert names(lead(engine, task(run, "a"), within=cancel)) == ["b"]
    # What was under way is done, and in the log.
    assert subjects(outbox) == ["a", "b", "c"]
    assert [line.step_id for line in logs(run)] == ["a", "b", "c"]
    assert row(run, "d") is None
    assert reload(run).status == "CANCELLED"


def test_a_run_that_airflow_has_failed_meanwhile_goes_no_further(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(mail("a"), mail("b", 1), mail("c", 2))

    def fail(node: str) -> None:
        with unit_of_work() as session:
            runs.end_run(session, run.id, RunStatus.FAILED, "Marked as failed in Airflow.")

    assert names(lead(engine, task(run, "a"), within=fail)) == []
    assert subjects(outbox) == ["a", "b"]
    assert row(run, "c") is None


def test_a_run_that_is_cleared_meanwhile_goes_no_further_under_the_old_keys(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(mail("a"), mail("b", 1), mail("c", 2))

    def clear(node: str) -> None:
        assert isinstance(engine.run(task(run, "a", generation=1)), Proceed)

    lead(engine, task(run, "a"), within=clear)
    assert subjects(outbox) == ["a", "a", "b"]
    assert row(run, "c") is None


def test_a_step_that_its_own_task_has_in_hand_is_left_to_it(engine: Engine, outbox: Outbox) -> None:
    run = begin(*(mail(name, order) for order, name in enumerate("abcd")))
    with locks.exclusive(lock_name(task(run, "c"))):
        assert names(lead(engine, task(run, "a"))) == ["b"]
    assert subjects(outbox) == ["a", "b"]
    assert row(run, "c") is None
    assert names(lead(engine, task(run, "c"))) == ["d"]


def test_its_own_task_waits_for_a_step_that_is_done_ahead_of_it(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(*(mail(name, order) for order, name in enumerate("abcd")))
    had = {}

    def look(node: str) -> None:
        for one in "abcd":
            with locks.try_exclusive(lock_name(task(run, one))) as free:
                had[node, one] = free

    lead(engine, task(run, "a"), within=look)
    assert [node for node in "bcd" if not had["b", node]] == ["b"]
    assert not had["c", "c"]
    assert not had["d", "d"]
    assert had["d", "b"]  # two behind, it is free again
    for one in "abcd":
        with locks.try_exclusive(lock_name(task(run, one))) as free:
            assert free


def test_each_step_is_one_transaction_of_few_statements(engine: Engine) -> None:
    made: list[str] = []

    def count(*given: Any) -> None:
        made.append(given[2])

    def statements(steps: int) -> int:
        run = begin(*(mail(str(number), number) for number in range(steps)))
        lead(engine, task(run, "0"))
        made.clear()
        again = begin(*(mail(str(number), number) for number in range(steps)))
        lead(engine, task(again, "0"))
        return len(made)

    event.listen(database_engine(), "before_cursor_execute", count)
    try:
        few, many = statements(5), statements(15)
    finally:
        event.remove(database_engine(), "before_cursor_execute", count)
    # Locks moved, the run with the step, its end, the log, and the next one.
    assert (many - few) / 10 == 5


def test_a_step_that_cannot_be_begun_costs_the_one_before_it_nothing(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(mail("a"), mail("b", 1), mail("c", 2))
    refuse = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'not c'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON run_step FOR EACH ROW
        WHEN (NEW.node_id = 'c') EXECUTE FUNCTION refuse()
    """
    with unit_of_work() as session:
        session.execute(text(refuse))
    try:
        assert names(lead(engine, task(run, "a"))) == ["b"]
    finally:
        with unit_of_work() as session:
            session.execute(text("DROP FUNCTION refuse CASCADE"))
    assert subjects(outbox) == ["a", "b"]
    assert [line.step_id for line in logs(run)] == ["a", "b"]
    assert names(lead(engine, task(run, "c"))) == []
    assert reload(run).status == "COMPLETED"


def test_no_step_is_begun_when_the_time_is_over(engine: Engine, outbox: Outbox) -> None:
    run = begin(mail("a"), mail("b", 1))
    assert names(lead(engine, task(run, "a"), budget=timedelta(0))) == []
    assert subjects(outbox) == ["a"]


def test_after_a_crash_the_next_process_hands_over_what_is_done_and_begins_nothing(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(*(mail(name, order) for order, name in enumerate("abcd")))

    def die(node: str) -> None:
        if node == "c":
            outbox.failures = [Killed()]  # type: ignore[list-item]  # raised like any other

    with pytest.raises(Killed):
        lead(engine, task(run, "a"), within=die)
    assert names(lead(engine, task(run, "a"))) == ["b"]
    assert subjects(outbox) == ["a", "b"]
    # The step in which the process was killed has a task of its own, which its deaths are told to.
    assert names(lead(engine, task(run, "c"))) == ["d"]
    assert subjects(outbox) == ["a", "b", "c", "d"]
    assert reload(run).status == "COMPLETED"


def test_it_goes_on_behind_a_step_that_has_waited(engine: Engine, outbox: Outbox) -> None:
    run = begin(step("wait", "delay", 0, {"duration": "PT0.01S"}), mail("a", 1), mail("b", 2))
    ref = task(run, "wait")
    parked = engine.run(ref)
    assert isinstance(parked, Sleep)
    done = resumed(engine, ref, parked)
    run_ahead.run_following(engine, ref, done, lambda _: nullcontext(Journal()), MINUTE)
    assert names(run_ahead.leg(ref, done)) == ["a", "b"]
    assert reload(run).status == "COMPLETED"


def resumed(engine: Engine, ref: TaskRef, parked: Sleep) -> Proceed:
    """How a delay ends whose time has come."""
    verdict: Verdict = parked
    while isinstance(verdict, Sleep):
        verdict = engine.resume(ref, parked.wait_id, None)
    assert isinstance(verdict, Proceed)
    return verdict


def test_what_is_left_out_after_a_clear_is_not_what_was_before(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(
        condition("a", 0, "variables.limit == 5", then=[mail("x")], **{"else": [mail("y")]}),
    )
    lead(engine, task(run, "a"))
    with unit_of_work() as session:
        session.get_one(Run, run.id).variables = {"limit": 6}
    again = task(run, "a", generation=1)
    done = engine.run(again)
    assert isinstance(done, Proceed)
    assert set(run_ahead.leg(again, done).left_out) == {"x"}
