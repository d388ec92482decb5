"""The run_workflow step: what it starts, waits for and puts out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from automations.domain.fields import RENDERED
from automations.domain.statuses import DagCallStatus, Decision
from automations.ports import ChildResult, DagResult
from automations.steps.outcomes import Answer, Done, Fail, WaitForRun
from automations.steps.run_workflow import RunWorkflow, RunWorkflowConfig
from tests.doubles import NOW, context


class Dags:
    """Keeps what is asked for, and says what it came to."""

    def __init__(self, status: DagCallStatus = DagCallStatus.RUNNING) -> None:
        self.asked: list[tuple[str, str, Mapping[str, Any], str, bool]] = []
        self._result = DagResult("etl", "r1", status, {"load": 2}, "no luck")

    def start(
        self, run_id: str, dag_id: str, conf: Mapping[str, Any], key: str, *, awaited: bool
    ) -> str:
        self.asked.append((run_id, dag_id, conf, key, awaited))
        return "r1"

    def result(self, dag_run_id: str) -> DagResult:
        assert dag_run_id == "r1"
        return self._result


RESUMED = Answer(Decision.RESUMED, None, NOW)


class Children:
    """Keeps what is started, and says what it came to."""

    def __init__(self, status: str = "RUNNING", error: str | None = None) -> None:
        self.started: list[tuple[str, str, Mapping[str, Any], str, bool]] = []
        self._result = ChildResult("child1", status, {"Add": {"n": 2}}, error)

    def start(
        self,
        parent_run_id: str,
        workflow_id: str,
        given: Mapping[str, Any],
        key: str,
        *,
        awaited: bool,
    ) -> str:
        self.started.append((parent_run_id, workflow_id, given, key, awaited))
        return "child1"

    def result(self, run_id: str) -> ChildResult:
        assert run_id == "child1"
        return self._result


def configured(**more: Any) -> RunWorkflowConfig:
    return RunWorkflowConfig.model_validate({"workflowId": "w2", **more}, context=RENDERED)


def test_without_waiting_the_step_is_done_when_the_child_is_started() -> None:
    children = Children()
    outcome = RunWorkflow().run(configured(input={"n": 1}), context(children=children))
    assert outcome == Done({"runId": "child1", "status": "RUNNING"})
    assert children.started == [("run1", "w2", {"n": 1}, "run1:node1:0", False)]


def test_a_waiting_step_waits_for_the_child_and_takes_its_outputs() -> None:
    config = configured(waitForCompletion=True)
    assert RunWorkflow().waits(config)
    children = Children()
    assert RunWorkflow().run(config, context(children=children)) == WaitForRun("child1")
    assert [started[-1] for started in children.started] == [True]
    ctx = context(children=Children("COMPLETED"), kept={"runId": "child1"})
    outcome = RunWorkflow().resume(config, ctx, RESUMED)
    assert isinstance(outcome, Done)
    assert outcome.output["outputs"] == {"Add": {"n": 2}}


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_a_child_that_failed_fails_the_step_unless_it_goes_on(status: str) -> None:
    ctx = context(children=Children(status, "no luck"), kept={"runId": "child1"})
    failed = RunWorkflow().resume(configured(waitForCompletion=True), ctx, RESUMED)
    assert isinstance(failed, Fail)
    assert (failed.kind, failed.output["status"]) == ("child", status)
    assert "no luck" in failed.error
    going = configured(waitForCompletion=True, onChildFailure="continue")
    assert isinstance(RunWorkflow().resume(going, ctx, RESUMED), Done)


def of_dag(**more: Any) -> RunWorkflowConfig:
    return RunWorkflowConfig.model_validate({"dagId": "etl", **more}, context=RENDERED)


@pytest.mark.parametrize("both", [{}, {"workflowId": "w2", "dagId": "etl"}])
def test_exactly_one_of_an_automation_and_a_dag_is_named(both: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="exactly one of workflowId and dagId"):
        RunWorkflowConfig.model_validate(both)


@pytest.mark.parametrize("waits", [True, False])
def test_a_dag_is_asked_for_and_waited_for_until_it_is_there_at_least(waits: bool) -> None:
    config, dags = of_dag(input={"n": 1}, waitForCompletion=waits), Dags()
    assert RunWorkflow().waits(config)
    assert RunWorkflow().run(config, context(dags=dags)) == WaitForRun("r1", "etl")
    assert dags.asked == [("run1", "etl", {"n": 1}, "run1:node1:0", waits)]


@pytest.mark.parametrize(
    ("status", "config", "kind"),
    [
        ("REFUSED", {"onChildFailure": "continue"}, "config"),
        ("FAILED", {"waitForCompletion": True}, "child"),
        ("CANCELLED", {"waitForCompletion": True}, "child"),
        ("FAILED", {"waitForCompletion": True, "onChildFailure": "continue"}, None),
        ("COMPLETED", {"waitForCompletion": True}, None),
        ("RUNNING", {}, None),
    ],
)
def test_what_a_dag_run_came_to_is_the_steps_outcome(
    status: str, config: dict[str, Any], kind: str | None
) -> None:
    dags = Dags(DagCallStatus(status))
    ctx = context(dags=dags, kept={"runId": "r1", "dagId": "etl"})
    outcome = RunWorkflow().resume(of_dag(**config), ctx, RESUMED)
    assert isinstance(outcome, Done | Fail)
    assert (outcome.output["dagId"], outcome.output["status"]) == ("etl", status)
    assert (outcome.kind if isinstance(outcome, Fail) else None) == kind
    if isinstance(outcome, Fail):
        assert "no luck" in outcome.error
