"""DAGs that are no automations, run by a step: asked for once, waited for, ended with the run."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, select, update

from automations.db.runs import run_steps, runs
from automations.db.session import unit_of_work
from automations.db.tables import DagCall, Job, Run, Workspace
from automations.domain.statuses import RunStatus, StepStatus
from automations.errors import OrchestratorError, OrchestratorUnavailable
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed, Sleep
from automations.ports import DagStatus, NewDagRun
from automations.services.runs.cancellations import cancel
from automations.services.runs.dag_calls import CalledDags
from tests.db.called_dags import Airflow, asleep, call, dispatch, left, output
from tests.db.runs import begin, reload, row, step, task
from tests.db.workspace import principal
from tests.doubles import ports
from tests.environment import Environment


@pytest.fixture
def engine(database: str, environment: Environment) -> Engine:
    environment.set(AUTOMATIONS_DAG_ALLOW="etl_*")
    return Engine(ports(dags=CalledDags()))


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


def running(**config: Any) -> Run:
    called = {"dagId": "etl_daily", "input": {"day": "{{input.text}}"}, **config}
    return begin(step("call", "run_workflow", 0, called))


def test_the_step_waits_for_the_dag_and_puts_out_what_its_tasks_return(
    engine: Engine, airflow: Airflow
) -> None:
    run = running(waitForCompletion=True)
    wait = asleep(engine, run)
    dispatch(airflow)
    (made,) = airflow.made
    assert (made.dag_id, made.conf) == ("etl_daily", {"day": "hello"})
    assert run.id in (made.note or "")
    dispatch(airflow)
    assert reload(run).status == "WAITING_FOR_CHILD", "it goes on"
    airflow.outputs = {"load": {"rows": 3}}
    airflow.end("success")
    dispatch(airflow)
    assert reload(run).status == "RUNNING"
    assert isinstance(engine.resume(task(run, "call"), wait.wait_id, None), Proceed)
    assert output(run) == {
        "runId": made.run_id,
        "dagId": "etl_daily",
        "status": "COMPLETED",
        "outputs": {"load": {"rows": 3}},
        "error": None,
    }
    assert left() == set()


def test_without_waiting_the_step_is_done_when_airflow_has_the_run(
    engine: Engine, airflow: Airflow
) -> None:
    run = running()
    wait = asleep(engine, run)
    dispatch(airflow)
    assert isinstance(engine.resume(task(run, "call"), wait.wait_id, None), Proceed)
    assert output(run) == {"runId": call().id, "dagId": "etl_daily", "status": "RUNNING"}
    assert left() == set(), "nobody looks after it any more"


def test_a_step_that_is_done_again_after_a_crash_asks_for_no_second_run(
    engine: Engine, airflow: Airflow
) -> None:
    run = running(waitForCompletion=True)
    asleep(engine, run)
    dispatch(airflow)
    airflow.end("success")
    dispatch(airflow)
    with unit_of_work() as session:  # as if the process had died before it recorded the wait
        step_row = run_steps.step(session, run.id, "call")
        assert step_row is not None
        step_row.status = StepStatus.RUNNING
        session.execute(update(Run).where(Run.id == run.id).values(status="RUNNING"))
    again = engine.run(task(run, "call"))
    assert isinstance(again, Sleep)
    assert isinstance(engine.resume(task(run, "call"), again.wait_id, None), Proceed)
    dispatch(airflow)
    assert len(airflow.made) == 1


def test_a_job_whose_answer_was_lost_makes_no_second_run(engine: Engine, airflow: Airflow) -> None:
    run = running(waitForCompletion=True)
    asleep(engine, run)
    airflow.dies_after_making = True
    with pytest.raises(OrchestratorUnavailable):
        dispatch(airflow)
    assert call().status == "REQUESTED"
    # It is there, so nothing else about its DAG matters any more.
    airflow.dag_statuses["etl_daily"] = DagStatus(paused=True)
    dispatch(airflow)
    assert call().status == "RUNNING"
    assert len(airflow.made) == 1


@pytest.mark.parametrize(
    ("dag_status", "said"),
    [
        (None, "There is no DAG etl_daily"),
        (DagStatus(gone=True), "There is no DAG etl_daily"),
        (DagStatus(broken=True), "has import errors"),
        (DagStatus(paused=True), "is paused"),
    ],
)
@pytest.mark.parametrize("waits", [True, False])
def test_a_dag_that_cannot_be_run_fails_the_step_in_words(
    engine: Engine, airflow: Airflow, dag_status: DagStatus | None, said: str, waits: bool
) -> None:
    run = running(waitForCompletion=waits, onChildFailure="continue")
    wait = asleep(engine, run)
    airflow.dag_statuses = {} if dag_status is None else {"etl_daily": dag_status}
    dispatch(airflow)
    assert isinstance(engine.resume(task(run, "call"), wait.wait_id, None), GiveUp)
    assert said in (reload(run).error or "")
    assert output(run)["error"]["kind"] == "config"
    assert (airflow.made, left()) == ([], set())


def test_what_airflow_says_of_a_conf_that_it_refuses_is_the_steps_error(
    engine: Engine, airflow: Airflow
) -> None:
    run = running()
    wait = asleep(engine, run)
    airflow.refuses = OrchestratorError("Invalid input for param day: 'hello' is no date")
    dispatch(airflow)
    assert isinstance(engine.resume(task(run, "call"), wait.wait_id, None), GiveUp)
    assert "'hello' is no date" in (reload(run).error or "")


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_dag_run_that_fails_is_what_a_failed_child_is(
    engine: Engine, airflow: Airflow, goes_on: bool
) -> None:
    run = running(waitForCompletion=True, onChildFailure="continue" if goes_on else "fail")
    wait = asleep(engine, run)
    dispatch(airflow)
    airflow.end("failed")
    dispatch(airflow)
    verdict = engine.resume(task(run, "call"), wait.wait_id, None)
    assert isinstance(verdict, Proceed if goes_on else GiveUp)
    assert output(run)["status"] == "FAILED"
    if not goes_on:
        assert "Failed in Airflow: load." in (reload(run).error or "")
        assert output(run)["error"]["kind"] == "child"


def test_a_dag_run_that_somebody_deletes_does_not_hold_the_run_for_ever(
    engine: Engine, airflow: Airflow
) -> None:
    run = running(waitForCompletion=True)
    wait = asleep(engine, run)
    dispatch(airflow)
    airflow.runs.clear()
    dispatch(airflow)
    assert isinstance(engine.resume(task(run, "call"), wait.wait_id, None), GiveUp)
    assert "deleted" in (reload(run).error or "")


def test_cancelling_the_run_ends_the_dag_run(engine: Engine, airflow: Airflow) -> None:
    run = running(waitForCompletion=True)
    asleep(engine, run)
    dispatch(airflow)
    cancel(principal(run.workspace_id, name="ada"), run.workflow_id, run.id)
    assert call().status == "CANCELLED"
    dispatch(airflow)
    assert set(airflow.failed) == {call().id}
    assert left() == set()


def test_a_dag_run_that_is_not_made_yet_is_not_made_once_the_run_is_cancelled(
    engine: Engine, airflow: Airflow
) -> None:
    run = running(waitForCompletion=True)
    asleep(engine, run)
    cancel(principal(run.workspace_id, name="ada"), run.workflow_id, run.id)
    dispatch(airflow)
    assert airflow.made == []
    assert left() == set()


def test_a_run_that_is_cancelled_while_its_dag_run_is_made_ends_that(
    engine: Engine, airflow: Airflow
) -> None:
    run = running(waitForCompletion=True)
    asleep(engine, run)

    def cancelled(_: NewDagRun) -> None:
        cancel(principal(run.workspace_id, name="ada"), run.workflow_id, run.id)
        with unit_of_work() as session:  # another worker has carried it already
            session.execute(delete(Job).where(Job.kind == "end_dag_run"))

    airflow.while_making = cancelled
    dispatch(airflow)
    assert airflow.failed == [call().id]
    assert left() == set()


@pytest.mark.parametrize(("waits", "status"), [(True, "CANCELLED"), (False, "RUNNING")])
def test_a_run_that_fails_takes_the_dag_run_with_it_that_it_waits_for(
    engine: Engine, airflow: Airflow, waits: bool, status: str
) -> None:
    run = running(waitForCompletion=waits)
    asleep(engine, run)
    dispatch(airflow)
    with unit_of_work() as session:
        assert runs.end_run(session, run.id, RunStatus.FAILED)
    assert call().status == status


def test_a_dag_run_of_a_child_ends_with_the_childs_parent(engine: Engine, airflow: Airflow) -> None:
    run = running()
    asleep(engine, run)
    parent = begin_beside(run)
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run.id).values(parent_run_id=parent))
    cancel(principal(run.workspace_id, name="ada"), run.workflow_id, parent)
    assert call().status == "CANCELLED"


def begin_beside(run: Run) -> str:
    """Another run of the same automation."""
    with unit_of_work() as session:
        made = Run(
            workspace_id=run.workspace_id,
            workflow_id=run.workflow_id,
            version=1,
            trigger_type="manual",
            starters=[],
        )
        session.add(made)
        session.flush()
        return made.id


def test_a_loop_has_several_dag_runs_at_once(engine: Engine, airflow: Airflow) -> None:
    inner = step("call", "run_workflow", 0, {"dagId": "etl_daily", "waitForCompletion": True})
    loop = {"collection": [1, 2, 3], "concurrency": 3, "steps": [inner]}
    run = begin(step("loop", "loop", 0, loop))
    verdict = engine.run(task(run, "loop"))
    dispatch(airflow)
    assert len({made.run_id for made in airflow.made}) == 3
    airflow.outputs = {"load": 1}
    airflow.end("success")
    dispatch(airflow)
    while isinstance(verdict, Sleep):
        verdict = engine.resume(task(run, "loop"), verdict.wait_id, None)
    assert isinstance(verdict, Proceed)
    done = row(run, "loop")
    assert done is not None
    assert [result["outputs"] for result in (done.output or {})["results"]] == [{"load": 1}] * 3


@pytest.mark.parametrize("allowed", ["", "other_*", "else/etl_*"])
def test_a_dag_that_the_installation_does_not_name_is_not_run(
    engine: Engine, environment: Environment, allowed: str
) -> None:
    environment.set(AUTOMATIONS_DAG_ALLOW=allowed)
    run = running()
    assert isinstance(engine.run(task(run, "call")), GiveUp)
    assert "AUTOMATIONS_DAG_ALLOW" in (reload(run).error or "")
    with unit_of_work() as session:
        assert session.scalars(select(DagCall)).all() == []


def test_a_dag_may_be_named_for_one_workspace(engine: Engine, environment: Environment) -> None:
    run = running()
    with unit_of_work() as session:
        slug = session.get_one(Workspace, run.workspace_id).slug
    environment.set(AUTOMATIONS_DAG_ALLOW=f"else/*, {slug}/etl_*")
    asleep(engine, run)


@pytest.mark.parametrize("dag_id", ["etl_/../../variables", "..", "etl_daily?x=1", "etl_a b"])
def test_what_is_no_id_of_a_dag_is_asked_for_nowhere(
    engine: Engine, environment: Environment, dag_id: str
) -> None:
    environment.set(AUTOMATIONS_DAG_ALLOW="*")
    run = running(dagId=dag_id)
    assert isinstance(engine.run(task(run, "call")), GiveUp)
    assert "is no id of a DAG" in (reload(run).error or "")


def test_an_automations_own_dag_is_not_run_by_the_back_door(
    engine: Engine, environment: Environment
) -> None:
    environment.set(AUTOMATIONS_DAG_ALLOW="*")
    run = begin(step("call", "run_workflow", 0, {"dagId": "automation_{{workflow.id}}"}))
    assert isinstance(engine.run(task(run, "call")), GiveUp)
    assert "workflowId" in (reload(run).error or "")
