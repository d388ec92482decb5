"""Runs that run others: started once, waited for, bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, update

from automations import definitions
from automations.db import runs
from automations.db.session import unit_of_work
from automations.db.tables import Job, Run, Wait, Workflow, WorkflowVersion
from automations.deliveries import Deliveries
from automations.engine import Engine
from automations.services.cancellations import cancel
from automations.services.children import StartedRuns
from automations.services.starting import DEEPEST_CHAIN
from automations.verdicts import GiveUp, Proceed, Sleep
from tests.db.test_engine import begin, reload, row, step, task
from tests.doubles import ports


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    yield Engine(ports(children=StartedRuns()))
    definitions._cache.clear()


def running(status: str = "ACTIVE", **config: Any) -> Run:
    """A run whose one step runs another automation."""
    run = begin(step("call", "run_workflow", 0, {"workflowId": "{{input.text}}", **config}))
    child = other(run.workspace_id, status)
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run.id).values(input={"text": child}))
    return run


def other(workspace_id: str, status: str = "ACTIVE") -> str:
    """An automation beside the one that runs, with one light step."""
    check = {"rules": [{"field": "{{input.n}}", "operator": "gt", "value": 0}]}
    definition = {"name": "Child", "steps": [step("check", "condition", 0, check)]}
    with unit_of_work() as session:
        made = Workflow(workspace_id=workspace_id, name="Child", status=status, version=1)
        session.add(made)
        session.flush()
        session.add(
            WorkflowVersion(
                workflow_id=made.id, version=1, revision=2, status=status, definition=definition
            )
        )
        return made.id


def child_of(run: Run) -> Run:
    with unit_of_work() as session:
        return session.scalars(select(Run).where(Run.parent_run_id == run.id)).one()


def end(run: Run, status: str, error: str | None = None) -> None:
    with unit_of_work() as session:
        assert runs.end_run(session, run.id, status, error)


def dispatch() -> None:
    """Carry what a child's end has left to be done."""
    deliveries = Deliveries(ports(), ports())  # type: ignore[arg-type]  # no Airflow here
    with unit_of_work() as session:
        todo = session.scalars(select(Job).where(Job.kind == "wake_parent")).all()
    for job in todo:
        deliveries.carry(job)


def test_a_child_is_started_once_however_often_the_step_is_run(engine: Engine) -> None:
    run = running(input={"n": 1})
    first = engine.run(task(run, "call"))
    with unit_of_work() as session:  # as if the process had died before it recorded the step
        step_row = runs.step(session, run.id, "call")
        assert step_row is not None
        step_row.status = "RUNNING"
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

        def start(self, *given: Any) -> str:
            child = children.start(*given)
            end(child_of(run), "COMPLETED")
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
    end(child_of(run), "FAILED", "no luck")
    dispatch()
    assert isinstance(engine.resume(task(run, "call"), asleep.wait_id, None), GiveUp)
    assert "no luck" in (reload(run).error or "")


def test_cancelling_the_parent_cancels_the_child(engine: Engine) -> None:
    run = running(waitForCompletion=True)
    engine.run(task(run, "call"))
    cancel(run.workspace_id, run.workflow_id, run.id, "ada")
    assert (reload(run).status, reload(child_of(run)).status) == ("CANCELLED", "CANCELLED")
    dispatch()
    assert reload(run).status == "CANCELLED"
    with unit_of_work() as session:
        assert session.scalars(select(Wait.status)).all() == ["CANCELLED"]


def test_automations_that_run_each_other_end(engine: Engine) -> None:
    run = running()
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run.id).values(depth=DEEPEST_CHAIN))
    assert isinstance(engine.run(task(run, "call")), GiveUp)
    assert f"after {DEEPEST_CHAIN} runs" in (reload(run).error or "")


@pytest.mark.parametrize("target", ["archived", "unknown"])
def test_what_cannot_be_run_is_named(engine: Engine, target: str) -> None:
    run = running("ARCHIVED")
    if target == "unknown":
        with unit_of_work() as session:
            session.execute(update(Run).where(Run.id == run.id).values(input={"text": "nope"}))
    assert isinstance(engine.run(task(run, "call")), GiveUp)
    assert ("archived" if target == "archived" else "nope") in (reload(run).error or "")
