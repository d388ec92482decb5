"""Operators of Airflow's providers, run by a step: allowed, asked for once, told what became."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from automations.db.session import unit_of_work
from automations.db.tables import DagCall, Run, Workspace
from automations.domain.statuses import DagCallStatus
from automations.errors import NotVisibleYet, StepError
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed, Retry, Sleep
from automations.ports import OPERATOR_DAG, ProviderOperator
from automations.services.runs import dag_calls
from automations.services.runs.cancellations import cancel
from automations.services.runs.dag_calls import CalledDags, OperatorCall
from tests.db.called_dags import Airflow, asleep, call, dispatch, left, output
from tests.db.delays import let_pass
from tests.db.runs import begin, reload, step, task
from tests.db.workspace import principal
from tests.doubles import ports
from tests.environment import Environment

ECHO = "airflow.providers.standard.operators.bash.BashOperator"
ALLOWED = "airflow.providers.standard.*"


@pytest.fixture
def engine(database: str, environment: Environment) -> Engine:
    environment.set(AUTOMATIONS_OPERATOR_ALLOW=ALLOWED)
    return Engine(ports(dags=CalledDags()))


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


def running(operator: str = ECHO, **more: Any) -> Run:
    config = {"operator": operator, "arguments": {"bash_command": "echo {{input.text}}"}}
    return begin({**step("call", "airflow_operator", 0, config), **more})


def test_the_step_waits_for_the_operator_and_puts_out_what_it_returns(
    engine: Engine, airflow: Airflow
) -> None:
    run = running()
    wait = asleep(engine, run)
    dispatch(airflow)
    (made,) = airflow.made
    arguments = {"bash_command": "echo hello"}
    assert made.dag_id == OPERATOR_DAG
    assert made.conf == {"operator": ECHO, "arguments": arguments}
    assert dag_calls.operator_call(made.run_id) == OperatorCall(ECHO, arguments, 1)
    airflow.outputs = {"operator": "hello"}
    airflow.end("success")
    dispatch(airflow)
    assert isinstance(engine.resume(task(run, "call"), wait.wait_id, None), Proceed)
    assert output(run) == {
        "result": "hello",
        "runId": made.run_id,
        "dagId": OPERATOR_DAG,
        "status": "COMPLETED",
    }
    assert left() == set()


def test_what_a_process_says_that_airflow_has_given_up_for_another_counts_no_more(
    engine: Engine, airflow: Airflow
) -> None:
    asleep(engine, running())
    dispatch(airflow)
    first, second = (dag_calls.operator_call(call().id).taker for _ in range(2))
    dag_calls.operator_ended(call().id, DagCallStatus.FAILED, "late", first)
    assert call().status == DagCallStatus.RUNNING
    dag_calls.operator_ended(call().id, DagCallStatus.FAILED, "over", second)
    assert (call().status, call().error) == (DagCallStatus.FAILED, "over")


@pytest.mark.parametrize(
    ("status", "kind"), [(DagCallStatus.REFUSED, "config"), (DagCallStatus.FAILED, "operator")]
)
def test_what_the_operator_has_failed_by_is_the_steps_error_at_once(
    engine: Engine, airflow: Airflow, status: DagCallStatus, kind: str
) -> None:
    run = running()
    wait = asleep(engine, run)
    dispatch(airflow)
    dag_calls.operator_ended(call().id, status, "no such file")
    assert isinstance(engine.resume(task(run, "call"), wait.wait_id, None), GiveUp)
    assert "no such file" in (reload(run).error or "")
    assert output(run)["error"]["kind"] == kind
    dispatch(airflow)
    assert left() == set()


def test_another_attempt_is_another_run_of_the_operator(engine: Engine, airflow: Airflow) -> None:
    run = running(retry={"maxAttempts": 2, "delay": "PT1S"})
    wait = asleep(engine, run)
    dispatch(airflow)
    dag_calls.operator_ended(call().id, DagCallStatus.FAILED, "busy")
    assert isinstance(engine.resume(task(run, "call"), wait.wait_id, None), Retry)
    let_pass(run, "call")
    again = engine.run(task(run, "call"))
    assert isinstance(again, Sleep)
    dispatch(airflow)
    assert len({made.run_id for made in airflow.made}) == 2
    airflow.outputs = {"operator": "second"}
    airflow.end("success")
    dispatch(airflow)
    assert isinstance(engine.resume(task(run, "call"), again.wait_id, None), Proceed)
    assert output(run)["result"] == "second"


def test_cancelling_the_run_ends_the_operator(engine: Engine, airflow: Airflow) -> None:
    run = running()
    asleep(engine, run)
    dispatch(airflow)
    cancel(principal(run.workspace_id, name="ada"), run.workflow_id, run.id)
    with pytest.raises(StepError, match="No step waits"):
        dag_calls.operator_call(call().id)
    dispatch(airflow)
    assert set(airflow.failed) == {call().id}


@pytest.mark.parametrize("allowed", ["", "airflow.providers.http.*", f"else/{ALLOWED}"])
def test_an_operator_that_the_installation_does_not_name_is_not_run(
    engine: Engine, environment: Environment, allowed: str
) -> None:
    environment.set(AUTOMATIONS_OPERATOR_ALLOW=allowed)
    run = running()
    assert isinstance(engine.run(task(run, "call")), GiveUp)
    assert "AUTOMATIONS_OPERATOR_ALLOW" in (reload(run).error or "")
    with unit_of_work() as session:
        assert session.scalars(select(DagCall)).all() == []


def test_what_is_allowed_no_more_when_it_would_begin_is_not_run(
    engine: Engine, environment: Environment, airflow: Airflow
) -> None:
    run = running()
    asleep(engine, run)
    environment.set(AUTOMATIONS_OPERATOR_ALLOW="")
    with pytest.raises(StepError, match="AUTOMATIONS_OPERATOR_ALLOW"):
        dag_calls.operator_call(call().id)


def test_an_operator_may_be_named_for_one_workspace(
    engine: Engine, environment: Environment
) -> None:
    run = running()
    with unit_of_work() as session:
        slug = session.get_one(Workspace, run.workspace_id).slug
    environment.set(AUTOMATIONS_OPERATOR_ALLOW=f"else/*, {slug}/{ALLOWED}")
    asleep(engine, run)
    other = running()
    assert isinstance(engine.run(task(other, "call")), GiveUp)
    listed = [ProviderOperator(ECHO, "", ())]
    assert dag_calls.allowed_operators(run.workspace_id, listed) == listed
    assert dag_calls.allowed_operators(other.workspace_id, listed) == []


@pytest.mark.parametrize("operator", ["BashOperator", "a/b.C", "a..b", ".a.b", "a.b; import os"])
def test_what_is_no_path_of_a_class_is_asked_for_nowhere(
    engine: Engine, environment: Environment, operator: str
) -> None:
    environment.set(AUTOMATIONS_OPERATOR_ALLOW="*")
    run = running(operator)
    assert isinstance(engine.run(task(run, "call")), GiveUp)
    assert "is no dotted path" in (reload(run).error or "")


def test_a_run_of_the_dag_that_no_step_has_asked_for_runs_nothing(database: str) -> None:
    with pytest.raises(StepError, match="no step has asked for this"):
        dag_calls.operator_call("manual__2030-01-01T00:00:00+00:00")


def test_the_dag_of_operators_is_waited_for_where_it_is_not_parsed_yet(
    engine: Engine, airflow: Airflow
) -> None:
    run = running()
    wait = asleep(engine, run)
    dag_status = airflow.dag_statuses.pop(OPERATOR_DAG)
    with pytest.raises(NotVisibleYet):
        dispatch(airflow)
    airflow.dag_statuses[OPERATOR_DAG] = dag_status
    dispatch(airflow)
    assert len(airflow.made) == 1
    dag_calls.operator_ended(call().id, DagCallStatus.FAILED, "over")
    assert isinstance(engine.resume(task(run, "call"), wait.wait_id, None), GiveUp)


def test_where_the_dag_of_operators_never_comes_it_is_said_what_to_do(
    engine: Engine, airflow: Airflow
) -> None:
    run = running()
    wait = asleep(engine, run)
    airflow.dag_statuses.clear()
    with unit_of_work() as session:
        session.execute(update(DagCall).values(created_at=datetime.now(UTC) - timedelta(hours=1)))
    dispatch(airflow)
    assert isinstance(engine.resume(task(run, "call"), wait.wait_id, None), GiveUp)
    assert "dag-processor is to have AUTOMATIONS_OPERATOR_ALLOW" in (reload(run).error or "")


def test_the_dag_of_operators_is_not_run_by_the_back_door(
    database: str, environment: Environment
) -> None:
    environment.set(AUTOMATIONS_DAG_ALLOW="*")
    run = begin(step("call", "run_workflow", 0, {"dagId": OPERATOR_DAG}))
    assert isinstance(Engine(ports(dags=CalledDags())).run(task(run, "call")), GiveUp)
    assert "airflow_operator" in (reload(run).error or "")
