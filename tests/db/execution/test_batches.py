"""Steps that are recorded together, since a repeat of them would change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from sqlalchemy import func, select, update

from automations import wiring
from automations.db.queue import jobs
from automations.db.runs import run_steps
from automations.db.session import unit_of_work
from automations.db.tables import DataRow, JobKind, Matter, Notification, Run
from automations.execution import batch, run_ahead
from automations.execution.engine import Engine
from automations.execution.express import ExpressLeg
from automations.execution.journal import Journal
from automations.execution.verdicts import GiveUp, Proceed, Skip, TaskRef, Verdict
from automations.kit import common_clock
from automations.services.runs import cancellations
from tests.db.counting import commits
from tests.db.cutting import killed_at
from tests.db.expressing import MINUTE, claimed, come_back, queued, started
from tests.db.place import Place
from tests.db.roles import Outbox
from tests.db.runs import MAIL, begin, logs, reload, row, step, task
from tests.db.workspace import principal

MADE: dict[str, Any] = {
    "table_operations": DataRow,
    "create_matter": Matter,
    "notification": Notification,
}


def look(name: str, order: int = 0, expression: str = "true", **more: Any) -> dict[str, Any]:
    return step(name, "condition", order, {"expression": expression, **more})


def looks(names: str) -> list[dict[str, Any]]:
    return [look(name, order) for order, name in enumerate(names)]


def mail(name: str, order: int) -> dict[str, Any]:
    return step(name, "email", order, {**MAIL, "subject": name})


def lead(engine: Engine, run: Run, within: Callable[[str], object] = lambda _: None) -> Verdict:
    """What a warm worker does of a run's first task, and of those behind it."""

    @contextmanager
    def host(node_id: str) -> Iterator[Journal]:
        within(node_id)
        yield Journal()

    first = run_ahead.light_node(task(run, "a"))
    assert first is not None
    assert first.batch is not None
    return run_ahead.run_batched(engine, first.batch, "a", host, MINUTE)


def statuses(run: Run, names: str) -> list[str | None]:
    rows = [row(run, name) for name in names]
    return [None if one is None else str(one.status) for one in rows]


def test_a_run_of_such_steps_is_one_transaction(engine: Engine) -> None:
    lead(engine, begin(*looks("abcdef")))
    run = begin(*looks("abcdef"))
    with commits() as made:
        assert isinstance(lead(engine, run), Proceed)
    assert len(made) == 1
    assert statuses(run, "abcdef") == ["DONE"] * 6
    assert reload(run).status == "COMPLETED"
    lines = logs(run)
    assert [line.step_id for line in lines] == list("abcdef")
    assert [line.timestamp for line in lines] == sorted(line.timestamp for line in lines)
    done = row(run, "c")
    assert done is not None
    assert done.input
    assert done.input["expression"] == "true"
    assert done.output == {"result": True}
    assert done.attempt == 1
    assert done.ended_at is not None
    assert done.started_at <= done.ended_at


def test_it_is_the_same_in_an_express_worker(engine: Engine) -> None:
    run = started(*looks("abcdef"))
    job = claimed()
    with commits() as made:
        ExpressLeg(engine, job, MINUTE, lambda: True).run()
    # The first one finds that the run is there to be done.
    assert len(made) == 2
    assert statuses(run, "abcdef") == ["DONE"] * 6
    assert reload(run).status == "COMPLETED"
    assert queued(run) == ["show_run"]
    told = row(run, "f")
    assert told is not None
    assert told.log_lines
    assert told.log_lines[0][3].startswith("Step 'f'")


def test_they_are_on_record_before_a_step_that_has_effects(engine: Engine, outbox: Outbox) -> None:
    run = begin(*looks("ab"), mail("c", 2), look("d", 3))
    seen: list[list[str | None]] = []
    outbox.watch = lambda _: seen.append(statuses(run, "abcd"))
    assert isinstance(lead(engine, run), Proceed)
    assert seen == [["DONE", "DONE", "RUNNING", None]]
    assert reload(run).status == "COMPLETED"


def test_later_steps_know_what_earlier_ones_came_to(engine: Engine) -> None:
    run = begin(look("a"), look("b", 1, "steps.a.result"), look("c", 2, "not steps.b.result"))
    lead(engine, run)
    found = row(run, "c")
    assert found is not None
    assert found.output == {"result": False}


def test_what_a_branch_leaves_out_is_skipped(engine: Engine) -> None:
    arms = {"then": [look("x")], "else": [look("y")]}
    run = begin(look("a"), look("b", 1, "false", **arms), look("c", 2))
    lead(engine, run)
    assert statuses(run, "abxyc") == ["DONE", "DONE", "SKIPPED", "DONE", "DONE"]
    assert reload(run).status == "COMPLETED"


def test_a_step_that_stops_the_run_leaves_all_behind_it_out(engine: Engine) -> None:
    run = begin(look("a"), look("b", 1, "false", stop=True), look("c", 2), mail("d", 3))
    lead(engine, run)
    assert statuses(run, "abcd") == ["DONE", "DONE", "SKIPPED", "SKIPPED"]
    assert reload(run).status == "COMPLETED"


@pytest.mark.parametrize("express", [False, True])
def test_a_step_that_fails_is_recorded_behind_those_before_it(
    engine: Engine, express: bool
) -> None:
    steps = [look("a"), look("b", 1), look("c", 2, "input.text > 1"), look("d", 3)]
    if express:
        run = started(*steps)
        ExpressLeg(engine, claimed(), MINUTE, lambda: True).run()
        assert queued(run) == ["start_run"]
    else:
        run = begin(*steps)
        assert isinstance(lead(engine, run), Proceed), "the task's own step is done"
    assert statuses(run, "abcd") == ["DONE", "DONE", "FAILED", None]
    assert reload(run).status == "FAILED"
    assert [line.status for line in logs(run)] == ["success", "success", "failed"]
    assert isinstance(engine.run(task(run, "c")), GiveUp)


def test_a_first_step_that_fails_is_the_tasks_own_failure(engine: Engine) -> None:
    run = begin(look("a", 0, "input.text > 1"), look("b", 1))
    assert isinstance(lead(engine, run), GiveUp)
    assert statuses(run, "ab") == ["FAILED", None]


def test_a_failure_that_is_passed_over_ends_nothing(engine: Engine) -> None:
    passed = step("b", "condition", 1, {"expression": "input.text > 1"}, onError="continue")
    run = begin(look("a"), passed, look("c", 2))
    assert isinstance(lead(engine, run), Proceed)
    assert statuses(run, "abc") == ["DONE", "DONE", "DONE"]
    assert reload(run).status == "COMPLETED"


def test_of_a_run_that_is_cancelled_meanwhile_only_the_log_says_what_was_done(
    engine: Engine,
) -> None:
    run = begin(*looks("abc"))

    def cancel(node: str) -> None:
        if node == "c":
            cancellations.cancel(principal(run.workspace_id), run.workflow_id, run.id)

    assert isinstance(lead(engine, run, cancel), Skip)
    assert statuses(run, "abc") == [None, None, None]
    assert [line.step_id for line in logs(run)] == ["a", "b", "c"]
    assert reload(run).status == "CANCELLED"


def test_of_a_run_that_is_cleared_meanwhile_nothing_is_recorded_twice(engine: Engine) -> None:
    run = begin(*looks("abc"))

    def clear(node: str) -> None:
        if node == "b":
            assert isinstance(engine.run(task(run, "a", generation=1)), Proceed)

    assert isinstance(lead(engine, run, clear), Skip)
    assert [line.step_id for line in logs(run)] == ["a"]
    done = row(run, "a")
    assert done is not None
    assert done.generation == 1


def test_a_step_that_its_own_task_has_begun_meanwhile_is_that_tasks(engine: Engine) -> None:
    run = begin(*looks("abc"))

    def overtake(node: str) -> None:
        if node == "c":
            with unit_of_work() as session:
                now = common_clock.now()
                assert run_steps.begin_first(session, run.id, "b", 0, now) is not None

    assert isinstance(lead(engine, run, overtake), Skip)
    assert statuses(run, "abc") == [None, "RUNNING", None]
    assert logs(run) == []
    # Their own tasks do them.
    assert all(isinstance(engine.run(task(run, name)), Proceed) for name in "abc")
    assert reload(run).status == "COMPLETED"


@pytest.mark.parametrize(("name", "value"), [("MAX_STEPS", 2), ("MAX_AGE", -1.0)])
def test_they_are_recorded_as_soon_as_they_are_many_or_old(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    monkeypatch.setattr(batch, name, value)
    run = begin(*looks("abcde"))
    seen: dict[str, int] = {}
    lead(engine, run, lambda node: seen.update({node: len(logs(run))}))
    assert seen == dict(zip("abcde", [0, 0, 2, 2, 4] if value == 2 else range(5), strict=True))
    assert reload(run).status == "COMPLETED"


def test_a_run_that_was_begun_before_is_entered_in_the_ordinary_way(engine: Engine) -> None:
    run = begin(*looks("ab"))
    with unit_of_work() as session:
        run_steps.begin_first(session, run.id, "a", 0, common_clock.now())
    first = run_ahead.light_node(task(run, "a"))
    assert first is not None
    assert first.batch is None


@pytest.mark.slow
def test_a_process_that_is_killed_at_any_statement_loses_nothing(
    engine: Engine, outbox: Outbox
) -> None:
    position, was_killed = 1, True
    while was_killed:
        run = started(*looks("ab"), mail("c", 2), look("d", 3))
        job = claimed()
        with killed_at(position) as killed:
            ExpressLeg(engine, job, MINUTE, lambda: True).run()
        was_killed = bool(killed)
        if JobKind.EXPRESS_RUN in queued(run):
            come_back()
            ExpressLeg(engine, claimed(), MINUTE, lambda: True).run()
        left = queued(run)
        assert left in (["start_run"], ["show_run"]), position
        assert (reload(run).status == "COMPLETED") == (left == ["show_run"])
        assert all(isinstance(engine.run(task(run, name)), Proceed) for name in "abcd")
        assert reload(run).status == "COMPLETED"
        assert [line.step_id for line in logs(run)] == list("abcd"), position
        assert {mail.key for mail in outbox.sent} == {f"{run.id}:c:0"}
        outbox.sent.clear()
        with unit_of_work() as session:
            jobs.cancel(session, JobKind.START_RUN, run.id)
            session.execute(update(Run).where(Run.id == run.id).values(express=False))
        position += 1
    assert position > 10


def test_whoever_comes_after_a_process_that_died_records_each_step_as_begun(
    engine: Engine,
) -> None:
    run = started(*looks("ab"))
    claimed()
    come_back()
    again = claimed()
    assert again.claims == 2
    with commits() as made:
        ExpressLeg(engine, again, MINUTE, lambda: True).run()
    # Otherwise a step that kills its process would never be seen to do so.
    assert len(made) == 3
    assert reload(run).status == "COMPLETED"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["table_operations", "create_matter", "notification"])
def test_what_a_killed_process_has_made_of_ours_is_not_made_again(place: Place, kind: str) -> None:
    engine, workflow = wiring.engine(), place.automation(kind, place.config(kind))
    position, was_killed = 1, True
    while was_killed:
        ref = TaskRef(place.start(workflow), workflow, 1, "step")
        node = run_ahead.light_node(ref)
        assert node is not None
        assert node.batch is not None
        with killed_at(position) as killed:
            run_ahead.run_batched(
                engine, node.batch, "step", lambda _: nullcontext(Journal()), MINUTE
            )
        was_killed = bool(killed)
        assert isinstance(engine.run(ref), Proceed), position
        with unit_of_work() as session:
            made = session.scalar(select(func.count()).select_from(MADE[kind]))
        assert made == position
        position += 1
    assert position > 4
