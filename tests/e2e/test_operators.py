"""Operators of Airflow's providers as steps, in a real Airflow."""

from __future__ import annotations

from typing import Any

from automations.ports import OPERATOR_DAG, OPERATOR_TASK
from tests.e2e.automations import outputs
from tests.e2e.conftest import Stack
from tests.waiting import until

STANDARD = "airflow.providers.standard"
BASH = f"{STANDARD}.operators.bash.BashOperator"
DELTA = f"{STANDARD}.sensors.time_delta.TimeDeltaSensor"
WAIT = f"{STANDARD}.sensors.time_delta.WaitSensor"


def operator(name: str, order: int, path: str, **arguments: Any) -> dict[str, Any]:
    config = {"operator": path, "arguments": arguments}
    return {"name": name, "type": "airflow_operator", "order": order, "config": config}


def state_of(stack: Stack, run: str) -> str:
    path = f"/dags/{OPERATOR_DAG}/dagRuns/{run}/taskInstances/{OPERATOR_TASK}"
    return str(stack.in_airflow("GET", path)["state"])


def asked_for(stack: Stack, workflow: str, run: str) -> str:
    """The DagRun of the operator that a run waits for, once Airflow has it."""

    def look() -> str | None:
        found = stack.in_airflow("GET", f"/dags/{OPERATOR_DAG}/dagRuns?limit=100")["dag_runs"]
        return next(
            (dag_run["dag_run_id"] for dag_run in found if run in dag_run["dag_run_id"]), None
        )

    return until("the operator's DagRun", look)


def test_operators_run_one_after_another_deferred_and_with_what_they_return(stack: Stack) -> None:
    said = "{{steps.Say.result}} again"
    workflow = stack.create(
        operator("Say", 0, BASH, bash_command="echo Hello, $NAME", env={"NAME": "{{input.name}}"}),
        operator("Rest", 1, DELTA, delta="PT8S", deferrable=True),
        operator("Repeat", 2, BASH, bash_command="echo $SAID", env={"SAID": said}),
    )
    run = stack.execute(workflow, name="Ada")
    done = outputs(stack.wait(workflow, run, "COMPLETED"))
    assert done["Say"]["result"] == "Hello, Ada"
    assert done["Rest"]["result"] is None
    assert done["Repeat"]["result"] == "Hello, Ada again"
    path = f"/dags/{OPERATOR_DAG}/dagRuns/{done['Rest']['runId']}/taskInstances/{OPERATOR_TASK}"
    log = str(stack.in_airflow("GET", f"{path}/logs/1")["content"])
    assert "Pausing task as DEFERRED" in log
    rendered = stack.in_airflow("GET", path)["rendered_fields"]
    assert rendered["operator"] == DELTA


def test_an_operator_that_waits_is_cancelled_with_its_run(stack: Stack) -> None:
    workflow = stack.create(operator("Rest", 0, WAIT, time_to_wait="PT1H", deferrable=True))
    run = stack.execute(workflow)
    asked = asked_for(stack, workflow, run)
    until("it to defer", lambda: state_of(stack, asked) == "deferred" or None)
    stack.wait(workflow, run, "WAITING_FOR_CHILD")
    stack.client.runs.cancel(workflow, run)
    until("it to be ended", lambda: state_of(stack, asked) == "failed" or None)


def test_what_fails_and_what_is_refused_is_said_by_the_step(stack: Stack) -> None:
    fails = stack.create(operator("Fail", 0, BASH, bash_command="exit 3"))
    refused = stack.create(operator("Typo", 0, BASH, bash_command="true", comand="x"))
    runs = {workflow: stack.execute(workflow) for workflow in (fails, refused)}
    for workflow, said in (
        (fails, "BashOperator is FAILED: AirflowException: Bash command failed"),
        (refused, "BashOperator has no parameter comand"),
    ):
        assert said in stack.wait(workflow, runs[workflow], "FAILED")["error"]


def test_those_that_may_be_run_are_listed(stack: Stack) -> None:
    listed = {one["operator"]: one for one in stack.api("GET", "/api/operators")}
    assert {BASH, WAIT} <= set(listed)
    parameters = {parameter["name"]: parameter for parameter in listed[WAIT]["parameters"]}
    assert parameters["time_to_wait"]["required"]
    assert parameters["deferrable"]["annotation"] == "bool"
