"""The run_workflow step: what it starts, waits for and puts out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from automations.domain.fields import RENDERED
from automations.domain.statuses import Decision
from automations.ports import ChildResult
from automations.steps.outcomes import Answer, Done, Fail, WaitForRun
from automations.steps.run_workflow import RunWorkflow, RunWorkflowConfig
from tests.doubles import NOW, context

RESUMED = Answer(Decision.RESUMED, None, NOW)


class Nursery:
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
    nursery = Nursery()
    outcome = RunWorkflow().run(configured(input={"n": 1}), context(children=nursery))
    assert outcome == Done({"runId": "child1", "status": "RUNNING"})
    assert nursery.started == [("run1", "w2", {"n": 1}, "run1:node1:0", False)]


def test_a_waiting_step_waits_for_the_child_and_takes_its_outputs() -> None:
    config = configured(waitForCompletion=True)
    assert RunWorkflow().waits(config)
    nursery = Nursery()
    assert RunWorkflow().run(config, context(children=nursery)) == WaitForRun("child1")
    assert [started[-1] for started in nursery.started] == [True]
    ctx = context(children=Nursery("COMPLETED"), kept={"runId": "child1"})
    outcome = RunWorkflow().resume(config, ctx, RESUMED)
    assert isinstance(outcome, Done)
    assert outcome.output["outputs"] == {"Add": {"n": 2}}


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_a_child_that_failed_fails_the_step_unless_it_goes_on(status: str) -> None:
    ctx = context(children=Nursery(status, "no luck"), kept={"runId": "child1"})
    failed = RunWorkflow().resume(configured(waitForCompletion=True), ctx, RESUMED)
    assert isinstance(failed, Fail)
    assert (failed.kind, failed.output["status"]) == ("child", status)
    assert "no luck" in failed.error
    going = configured(waitForCompletion=True, onChildFailure="continue")
    assert isinstance(RunWorkflow().resume(going, ctx, RESUMED), Done)
