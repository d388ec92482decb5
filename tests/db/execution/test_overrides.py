"""Steps that wait and that somebody marks in Airflow: as done, or as skipped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import AuditLog, Job, Run, Wait
from automations.definitions.published import dag_id
from automations.dispatch.jobs.registry import Handlers
from automations.dispatch.reconciler import Reconciler
from automations.execution.engine import Engine
from automations.execution.verdicts import AskPeople, Proceed, Skip, Sleep
from automations.ports import DagRunState, DagRunStatus
from tests.db.runs import begin, forget_how_to_read, reload, row, step, task
from tests.doubles import Unreachable, ports

LOOK = {"rules": [{"field": "{{input.text}}", "operator": "exists"}]}


class Airflow(Unreachable):
    """One in which Ada has marked everything."""

    def __init__(self, stands: str = "success") -> None:
        self._stands = stands

    def task_state(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        return self._stands

    def marked_by(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        return "ada"


@pytest.fixture
def engine(database: str) -> Engine:
    return Engine(ports())


def waiting(engine: Engine) -> Run:
    """A run that waits for a decision, with a step for a rejection and one behind."""
    rejected = step("rejected", "condition", 0, LOOK)
    ask = step("ask", "approval", 0, {"message": "OK?", "onReject": [rejected]})
    run = begin(ask, step("after", "condition", 1, LOOK))
    assert isinstance(engine.run(task(run, "ask")), AskPeople)
    assert reload(run).status == "PAUSED"
    return run


def output(run: Run, node: str) -> dict[str, Any]:
    found = row(run, node)
    assert found is not None
    return found.output or {}


def named() -> AuditLog:
    """The line of the audit log after the dispatcher has asked Airflow."""
    with unit_of_work() as session:
        (job,) = session.scalars(select(Job).where(Job.kind == "name_override")).all()
    Handlers(Airflow(), ports()).handle(job)
    with unit_of_work() as session:
        return session.scalars(select(AuditLog).where(AuditLog.action == "run.override")).one()


@pytest.mark.parametrize("first", ["after", "rejected"])
def test_the_run_goes_on_as_approved_whichever_step_airflow_begins_first(
    engine: Engine, first: str
) -> None:
    run = waiting(engine)
    came_to = {first: engine.run(task(run, first))}
    for node in ("after", "rejected"):
        came_to.setdefault(node, engine.run(task(run, node)))
    assert isinstance(came_to["after"], Proceed)
    assert isinstance(came_to["rejected"], Skip)
    assert reload(run).status == "COMPLETED"
    assert output(run, "ask")["decision"] == "approved"
    assert output(run, "ask")["override"] is True
    with unit_of_work() as session:
        wait = session.scalars(select(Wait)).one()
    assert (wait.status, wait.decision, wait.override) == ("ANSWERED", "approved", True)


def test_it_is_on_record_who_did_it(engine: Engine) -> None:
    run = waiting(engine)
    engine.run(task(run, "after"))
    line = named()
    assert (line.actor_type, line.actor) == ("airflow", "ada")
    assert line.details == {"stepId": "ask", "decision": "approved"}
    assert output(run, "ask")["decidedBy"] == "airflow:ada"
    with unit_of_work() as session:
        assert session.scalars(select(Wait.decided_by)).one() == "airflow:ada"


@pytest.mark.parametrize(
    ("kind", "config"), [("approval", {"message": "OK?"}), ("delay", {"duration": "PT1H"})]
)
def test_the_last_step_is_done_when_airflow_has_ended_the_run(
    engine: Engine, kind: str, config: dict[str, Any]
) -> None:
    run = begin(step("ask", kind, 0, config))
    assert isinstance(engine.run(task(run, "ask")), AskPeople | Sleep)
    state = DagRunState(
        dag_id(run.workflow_id), run.id, DagRunStatus.SUCCESS, "1", {}, None, "manual"
    )
    Reconciler(Airflow()).apply(state)
    assert reload(run).status == "COMPLETED"
    found = row(run, "ask")
    assert found is not None
    assert (found.status, (found.output or {})["override"]) == ("DONE", True)
    assert named().actor == "ada"


def test_a_run_that_airflow_has_ended_is_complete_also_where_its_definition_cannot_be_read(
    engine: Engine,
) -> None:
    run = waiting(engine)
    forget_how_to_read(run)
    state = DagRunState(
        dag_id(run.workflow_id), run.id, DagRunStatus.SUCCESS, "1", {}, None, "manual"
    )
    Reconciler(Airflow()).apply(state)
    assert reload(run).status == "COMPLETED"


def test_an_earlier_step_that_is_begun_again_overrides_nothing(engine: Engine) -> None:
    run = begin(step("first", "condition", 0, LOOK), step("ask", "approval", 1, {"message": "?"}))
    engine.run(task(run, "first"))
    assert isinstance(engine.run(task(run, "ask")), AskPeople)
    engine.run(task(run, "first"))
    with unit_of_work() as session:
        assert session.scalars(select(Wait.status)).one() == "OPEN"


def test_one_that_is_skipped_is_left_out_and_decides_nothing(engine: Engine) -> None:
    arms = {"rules": LOOK["rules"], "then": [step("ask", "approval", 0, {"message": "OK?"})]}
    run = begin(step("if", "condition", 0, arms), step("after", "condition", 1, LOOK))
    engine.run(task(run, "if"))
    assert isinstance(engine.run(task(run, "ask")), AskPeople)
    # Behind the join Airflow goes on, as there is another way to it.
    behind = replace(task(run, "after"), is_skipped=lambda node: node == "ask")
    assert isinstance(engine.run(behind), Proceed)
    assert reload(run).status == "COMPLETED"
    _is_left_out(run)


def test_a_run_in_which_all_that_is_left_was_skipped_is_complete(engine: Engine) -> None:
    run = waiting(engine)
    state = DagRunState(
        dag_id(run.workflow_id), run.id, DagRunStatus.SUCCESS, "1", {}, None, "manual"
    )
    Reconciler(Airflow("skipped")).apply(state)
    assert reload(run).status == "COMPLETED"
    _is_left_out(run)


def _is_left_out(run: Run) -> None:
    found = row(run, "ask")
    assert found is not None
    assert (found.status, found.output) == ("SKIPPED", None)
    with unit_of_work() as session:
        wait = session.scalars(select(Wait)).one()
        assert (wait.status, wait.decision) == ("CANCELLED", None)
        assert session.scalars(select(Job).where(Job.kind == "name_override")).all() == []
