"""Runs that run others: started once, waited for, bounded."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from automations.db.runs import run_steps, runs
from automations.db.runs.new_runs import NewRun
from automations.db.session import unit_of_work
from automations.db.tables import Job, Run, Wait, Workflow
from automations.db.waits import waits
from automations.domain.statuses import RunStatus, StepStatus, WaitKind
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed, Skip, Sleep
from automations.services.runs.cancellations import cancel
from automations.services.runs.children import StartedRuns
from automations.services.runs.starting import MAX_CHAIN_DEPTH, start_run
from tests.db.children import child_of, dispatch, other
from tests.db.counting import statements
from tests.db.runs import begin, reload, row, step, task
from tests.db.workspace import principal
from tests.doubles import ports


@pytest.fixture
def engine(database: str) -> Engine:
    return Engine(ports(children=StartedRuns()))


def running(status: str = "ACTIVE", **config: Any) -> Run:
    """A run whose one step runs another automation."""
    run = begin(step("call", "run_workflow", 0, {"workflowId": "{{input.text}}", **config}))
    child = other(run.workspace_id, status)
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run.id).values(input={"text": child}))
    return run


def end(run: Run, status: RunStatus, error: str | None = None) -> None:
    with unit_of_work() as session:
        assert runs.end_run(session, run.id, status, error)


def test_a_child_is_started_once_however_often_the_step_is_run(engine: Engine) -> None:
    run = running(input={"n": 1})
    first = engine.run(task(run, "call"))
    with unit_of_work() as session:  # as if the process had died before it recorded the step
        step_row = run_steps.step(session, run.id, "call")
        assert step_row is not None
        step_row.status = StepStatus.RUNNING
        session.execute(update(Run).where(Run.id == run.id).values(status="RUNNING"))
    assert engine.run(task(run, "call")) == first
    child = child_of(run)
    assert (child.input, child.trigger_type, child.depth) == ({"n": 1}, "workflow", 1)


def test_the_parent_waits_and_gets_the_childs_outputs(engine: Engine) -> None:
    run = running(waitForCompletion=True, input={"n": 1})
    asleep = engine.run(task(run, "call"))
    assert isinstance(asleep, Sleep)
    assert reload(run).status == "WAITING_FOR_CHILD"
    child = child_of(run)
    assert isinstance(engine.run(task(child, "check")), Proceed)
    assert reload(child).status == "COMPLETED"
    dispatch()
    assert reload(run).status == "RUNNING"
    assert isinstance(engine.resume(task(run, "call"), asleep.wait_id, None), Proceed)
    done = row(run, "call")
    assert done is not None
    assert (done.output or {})["outputs"] == {"check": {"result": True}}


def test_a_child_that_ends_before_the_parent_waits_is_not_missed(engine: Engine) -> None:
    run = running(waitForCompletion=True)
    children = StartedRuns()

    class Quick:
        """Starts a child that has ended when the step goes on."""

        def start(self, *given: Any, **more: Any) -> str:
            child = children.start(*given, **more)
            end(child_of(run), RunStatus.COMPLETED)
            dispatch()
            return child

        def result(self, run_id: str) -> Any:
            return children.result(run_id)

    quick = Engine(ports(children=Quick()))
    asleep = quick.run(task(run, "call"))
    assert isinstance(asleep, Sleep)
    assert isinstance(quick.resume(task(run, "call"), asleep.wait_id, None), Proceed)


def test_a_failed_child_fails_the_parent_with_its_reason(engine: Engine) -> None:
    run = running(waitForCompletion=True)
    asleep = engine.run(task(run, "call"))
    assert isinstance(asleep, Sleep)
    end(child_of(run), RunStatus.FAILED, "no luck")
    dispatch()
    assert isinstance(engine.resume(task(run, "call"), asleep.wait_id, None), GiveUp)
    assert "no luck" in (reload(run).error or "")


def test_cancelling_the_parent_cancels_the_child(engine: Engine) -> None:
    run = running(waitForCompletion=True)
    engine.run(task(run, "call"))
    cancel(principal(run.workspace_id, name="ada"), run.workflow_id, run.id)
    assert (reload(run).status, reload(child_of(run)).status) == ("CANCELLED", "CANCELLED")
    dispatch()
    assert reload(run).status == "CANCELLED"
    with unit_of_work() as session:
        assert session.scalars(select(Wait.status)).all() == ["CANCELLED"]


def test_automations_that_run_each_other_end(engine: Engine) -> None:
    run = running()
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run.id).values(depth=MAX_CHAIN_DEPTH))
    assert isinstance(engine.run(task(run, "call")), GiveUp)
    assert f"after {MAX_CHAIN_DEPTH} runs" in (reload(run).error or "")


@pytest.mark.parametrize("target", ["archived", "unknown"])
def test_what_cannot_be_run_is_named(engine: Engine, target: str) -> None:
    run = running("ARCHIVED")
    if target == "unknown":
        with unit_of_work() as session:
            session.execute(update(Run).where(Run.id == run.id).values(input={"text": "nope"}))
    assert isinstance(engine.run(task(run, "call")), GiveUp)
    assert ("archived" if target == "archived" else "nope") in (reload(run).error or "")


def killed() -> set[str]:
    """The runs whose DagRuns are to be ended."""
    with unit_of_work() as session:
        return set(session.scalars(select(Job.subject_id).where(Job.kind == "fail_run")))


def wait_in(run: Run) -> None:
    """Have a run wait for somebody."""
    with unit_of_work() as session:
        waits.open_wait(
            session,
            waits.NewWait(
                run_id=run.id,
                node_id="check",
                generation=0,
                kind=WaitKind.CALLBACK,
                due_at=datetime.now(UTC) + timedelta(hours=1),
            ),
        )


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.COMPLETED])
def test_a_parent_that_ends_otherwise_takes_the_child_with_it_that_it_waits_for(
    engine: Engine, status: RunStatus
) -> None:
    run = running(waitForCompletion=True)
    engine.run(task(run, "call"))
    child = child_of(run)
    wait_in(child)
    end(run, status)  # somebody has marked it in Airflow
    assert reload(child).status == "CANCELLED"
    assert run.id in (reload(child).error or "")
    assert killed() == {child.id}
    with unit_of_work() as session:
        assert set(session.scalars(select(Wait.status))) == {"CANCELLED"}


def test_a_child_that_nobody_waits_for_outlives_a_parent_that_fails(engine: Engine) -> None:
    run = running()
    engine.run(task(run, "call"))
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run.id).values(status="RUNNING"))
    end(run, RunStatus.FAILED)
    assert reload(child_of(run)).status == "RUNNING"
    assert killed() == set()


def test_cancelling_reaches_below_a_child_that_has_ended(engine: Engine) -> None:
    run = running(waitForCompletion=True)
    engine.run(task(run, "call"))
    child = child_of(run)
    below = StartedRuns().start(child.id, child.workflow_id, {}, "key", awaited=False)
    end(child, RunStatus.COMPLETED)
    cancel(principal(run.workspace_id, name="ada"), run.workflow_id, run.id)
    assert reload(child).status == "COMPLETED"
    with unit_of_work() as session:
        assert session.get_one(Run, below).status == "CANCELLED"
    assert killed() == {run.id, below}


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_a_child_that_a_loop_waits_for_ends_with_its_parent(engine: Engine, how: str) -> None:
    call = {"workflowId": "{{input.text}}", "waitForCompletion": True}
    inner = step("call", "run_workflow", 0, call)
    nested = step("inner", "loop", 0, {"collection": [1], "steps": [inner]})
    run = begin(step("loop", "loop", 0, {"collection": [1, 2], "steps": [nested]}))
    child = other(run.workspace_id)
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run.id).values(input={"text": child}))
    assert isinstance(engine.run(task(run, "loop")), Sleep)
    if how == "cancelled":
        cancel(principal(run.workspace_id, name="ada"), run.workflow_id, run.id)
    else:
        end(run, RunStatus.FAILED)
    assert reload(child_of(run)).status == "CANCELLED"


def test_a_run_that_was_cancelled_meanwhile_starts_no_child(engine: Engine) -> None:
    run = running(waitForCompletion=True)

    class Late:
        """The run is cancelled a moment before it starts its child."""

        def start(self, *given: Any, **more: Any) -> str:
            cancel(principal(run.workspace_id, name="ada"), run.workflow_id, run.id)
            return StartedRuns().start(*given, **more)

    assert isinstance(Engine(ports(children=Late())).run(task(run, "call")), Skip)
    with unit_of_work() as session:
        assert session.scalars(select(Run).where(Run.parent_run_id == run.id)).all() == []


def test_a_child_that_is_being_started_is_seen_by_who_cancels(engine: Engine) -> None:
    run = running(waitForCompletion=True)
    cancelling = threading.Thread(
        target=cancel, args=(principal(run.workspace_id), run.workflow_id, run.id)
    )
    with unit_of_work() as session:  # as the start of a child does
        runs.lock_run(session, run.id)
        cancelling.start()
        workflow = session.get_one(Workflow, run.workflow_id)
        child = start_run(
            session,
            workflow,
            NewRun(
                trigger_type="workflow",
                trigger_data={},
                input={},
                started_by=None,
                parent_run_id=run.id,
            ),
        )
    cancelling.join(60)
    assert child is not None
    assert reload(child).status == "CANCELLED"


def test_clearing_the_step_in_airflow_cancels_the_child_of_before(engine: Engine) -> None:
    run = running(waitForCompletion=True)
    engine.run(task(run, "call"))
    before = child_of(run)
    engine.run(task(run, "call", generation=1))
    assert reload(before).status == "CANCELLED"
    with unit_of_work() as session:
        after = session.scalars(select(Run).where(Run.parent_run_id == run.id)).all()
    assert sorted(child.status for child in after) == ["CANCELLED", "RUNNING"]


@pytest.mark.slow
def test_a_thousand_children_are_cancelled_in_a_moment(engine: Engine) -> None:
    run = running()
    with unit_of_work() as session:
        workflow = session.get_one(Workflow, run.workflow_id)
        for _ in range(1000):
            start_run(
                session,
                workflow,
                NewRun(
                    trigger_type="workflow",
                    trigger_data={},
                    input={},
                    started_by=None,
                    parent_run_id=run.id,
                ),
            )
    with statements() as made:
        cancel(principal(run.workspace_id, name="ada"), run.workflow_id, run.id)
    # One for each, which has logs and waits of its own to be ended, and few beside them.
    assert len(made) < 1_050
    assert len(killed()) == 1001
