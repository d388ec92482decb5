"""The DAG in which operators are run for steps: as the operator does, or refused."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException, TaskDeferred

from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed, Sleep
from automations.ports import OPERATOR_DAG, OPERATOR_TASK
from automations.services.runs.dag_calls import CalledDags
from automations_airflow.dags.operator_dag import CarryingOperator, build
from automations_airflow.tasks.retries import StepFailed, StepRetryPolicy
from tests.db.called_dags import Airflow, call, dispatch
from tests.db.runs import begin, reload, row, step, task
from tests.doubles import ports
from tests.environment import Environment

STANDARD = "airflow.providers.standard"
BASH = f"{STANDARD}.operators.bash.BashOperator"
TRIGGER = f"{STANDARD}.operators.trigger_dagrun.TriggerDagRunOperator"
WAIT = f"{STANDARD}.sensors.time_delta.TimeDeltaSensor"


@pytest.fixture
def engine(database: str, environment: Environment) -> Engine:
    environment.set(AUTOMATIONS_OPERATOR_ALLOW=f"{STANDARD}.*")
    return Engine(ports(dags=CalledDags()))


class Step:
    """A run whose step waits for an operator, and the task that carries it."""

    def __init__(self, engine: Engine, operator: str, **arguments: Any) -> None:
        self.engine = engine
        config = {"operator": operator, "arguments": arguments}
        self.run = begin(step("call", "airflow_operator", 0, config))
        asleep = engine.run(task(self.run, "call"))
        assert isinstance(asleep, Sleep)
        self.wait = asleep.wait_id
        self.airflow = Airflow()
        dispatch(self.airflow)
        made = build().get_task(OPERATOR_TASK).prepare_for_execution()
        assert isinstance(made, CarryingOperator)
        self.task = made
        run = SimpleNamespace(run_id=call().id, run_after=datetime.now(UTC))
        self.context = {"dag_run": run, "ti": SimpleNamespace(), "task": made}

    def came_to(self) -> Any:
        return self.engine.resume(task(self.run, "call"), self.wait, None)


def test_it_does_as_the_operator_does_and_returns_what_that_returns(engine: Engine) -> None:
    carried = Step(engine, BASH, bash_command='echo "{{ 1 + 1 }} $A"', env={"A": "b"})
    carried.task.render_template_fields(carried.context)
    assert carried.task.execute(carried.context) == "2 b", "ours are filled in, Airflow's not"
    assert (carried.task.operator, carried.task.template_fields) == (
        BASH,
        ("operator", "arguments"),
    )


def test_templates_of_airflows_are_left_as_they_are(engine: Engine) -> None:
    carried = Step(engine, BASH, bash_command="echo $A", env={"A": "{% raw %}{{ ds }}{% endraw %}"})
    carried.task.render_template_fields(carried.context)
    assert carried.task.execute(carried.context) == "{{ ds }}"


def test_it_defers_as_the_operator_does_and_is_resumed(engine: Engine) -> None:
    carried = Step(engine, WAIT, delta="PT1H", deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        carried.task.execute(carried.context)
    assert deferred.value.method_name == "execute_complete"
    assert call().status == "RUNNING"
    again = build().get_task(OPERATOR_TASK).prepare_for_execution()
    assert isinstance(again, CarryingOperator)
    method, kwargs = deferred.value.method_name, {"event": "now"}
    assert again.resume_execution(method, kwargs, carried.context) is None


def test_a_trigger_that_fails_fails_the_step_with_its_reason(engine: Engine) -> None:
    carried = Step(engine, WAIT, delta="PT1H", deferrable=True)
    with pytest.raises(StepFailed):
        carried.task.resume_execution("__fail__", {"error": "Trigger timeout"}, carried.context)
    assert isinstance(carried.came_to(), GiveUp)
    assert "Trigger timeout" in (reload(carried.run).error or "")


def test_what_fails_it_is_told_and_is_not_tried_again_by_airflow(engine: Engine) -> None:
    carried = Step(engine, BASH, bash_command="exit 3")
    with pytest.raises(StepFailed) as failed:
        carried.task.execute(carried.context)
    assert StepRetryPolicy().evaluate(failed.value, 1, 5).action.value == "fail"
    assert isinstance(carried.came_to(), GiveUp)
    assert "AirflowException: Bash command failed" in (reload(carried.run).error or "")


def test_an_argument_that_the_operator_does_not_know_is_refused_in_words(engine: Engine) -> None:
    carried = Step(engine, BASH, bash_command="true", comand="x")
    with pytest.raises(StepFailed, match="has no parameter comand"):
        carried.task.execute(carried.context)
    assert isinstance(carried.came_to(), GiveUp)
    done = row(carried.run, "call")
    assert done is not None
    assert "has no parameter comand" in (done.output or {})["error"]["message"]
    assert (done.output or {})["error"]["kind"] == "config"


def test_what_is_allowed_no_more_is_not_run(engine: Engine, environment: Environment) -> None:
    carried = Step(engine, BASH, bash_command="true")
    environment.set(AUTOMATIONS_OPERATOR_ALLOW="")
    with pytest.raises(StepFailed, match="AUTOMATIONS_OPERATOR_ALLOW"):
        carried.task.execute(carried.context)


@pytest.mark.parametrize("allowed", ["", "else/etl_*"])
def test_an_operator_starts_no_dag_that_its_workspace_may_not_run(
    engine: Engine, environment: Environment, allowed: str
) -> None:
    environment.set(AUTOMATIONS_DAG_ALLOW=allowed)
    carried = Step(engine, TRIGGER, trigger_dag_id="etl_daily")
    with pytest.raises(StepFailed, match="AUTOMATIONS_DAG_ALLOW"):
        carried.task.execute(carried.context)
    assert isinstance(carried.came_to(), GiveUp)
    assert "AUTOMATIONS_DAG_ALLOW" in (reload(carried.run).error or "")


def test_an_operator_starts_a_dag_that_its_workspace_may_run(
    engine: Engine, environment: Environment
) -> None:
    environment.set(AUTOMATIONS_DAG_ALLOW="etl_*")
    carried = Step(engine, TRIGGER, trigger_dag_id="etl_daily")
    with pytest.raises(DagRunTriggerException):
        carried.task.execute(carried.context)
    assert call().status == "RUNNING"


def test_a_skip_is_no_failure(engine: Engine) -> None:
    carried = Step(engine, BASH, bash_command="exit 99")
    with pytest.raises(AirflowSkipException):
        carried.task.execute(carried.context)
    carried.airflow.end("success")
    dispatch(carried.airflow)
    assert isinstance(carried.came_to(), Proceed)


def test_a_run_that_somebody_has_made_by_hand_runs_nothing(engine: Engine) -> None:
    made: Any = build().get_task(OPERATOR_TASK).prepare_for_execution()
    conf = {"operator": BASH, "arguments": {"bash_command": "true"}}
    context = {"dag_run": SimpleNamespace(run_id="manual__1", conf=conf)}
    with pytest.raises(StepFailed, match="no step has asked for this"):
        made.execute(context)


def test_the_dag_is_ready_for_runs(engine: Engine) -> None:
    dag = build()
    assert dag.dag_id == OPERATOR_DAG
    assert dag.is_paused_upon_creation is False
    assert list(dag.task_ids) == [OPERATOR_TASK]
