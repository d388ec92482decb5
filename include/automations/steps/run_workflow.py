"""Execute a child workflow."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from automations.domain.fields import Model, OrTemplate, Text
from automations.domain.statuses import RunStatus
from automations.kit.values import JSON
from automations.ports import ChildResult
from automations.steps.base import StepContext, StepType
from automations.steps.outcomes import Answer, Done, Fail, Outcome, WaitForRun


class RunWorkflowConfig(Model):
    """Which automation to run, and with what."""

    workflow_id: Text = Field(
        min_length=1, max_length=100, description="The automation, of the same workspace."
    )
    input: OrTemplate[dict[str, JSON]] = Field(
        default_factory=dict,
        description="Its input, usable there as {{input.…}}; or one template that gives it.",
    )
    wait_for_completion: bool = Field(
        False,
        description="Wait until it has ended; its outputs are then this step's. Such a run is "
        "cancelled when this one ends before it; others only when this one is cancelled.",
    )
    on_child_failure: Literal["fail", "continue"] = Field(
        "fail", description="What a failed or cancelled child that is waited for leads to."
    )


class RunWorkflow(StepType[RunWorkflowConfig]):
    """Start a run of another automation, ten deep at most, and wait for it when told to.

    An automation that would come to run itself, by ids that are written down, is not saved.
    """

    type = "run_workflow"
    title = "Run an automation"
    Config = RunWorkflowConfig
    example: ClassVar = {"workflowId": "<automation id>", "input": {"name": "{{input.name}}"}}
    keeps = True
    outputs: ClassVar = {
        "runId": "the child run",
        "status": "its status",
        "outputs": "with waitForCompletion: its outputs, by the names of its steps",
        "error": "with waitForCompletion: why it failed",
    }

    def waits(self, config: RunWorkflowConfig) -> bool:
        return config.wait_for_completion

    def once(self, config: RunWorkflowConfig) -> bool:
        return True

    def run(self, config: RunWorkflowConfig, ctx: StepContext) -> Outcome:
        children = ctx.ports.children
        run_id = children.start(
            ctx.run_id,
            config.workflow_id,
            config.input if isinstance(config.input, dict) else {},
            ctx.idempotency_key,
            awaited=config.wait_for_completion,
        )
        if config.wait_for_completion:
            return WaitForRun(run_id)
        return Done({"runId": run_id, "status": children.result(run_id).status})

    def resume(self, config: RunWorkflowConfig, ctx: StepContext, answer: Answer) -> Outcome:
        result = ctx.ports.children.result(str(ctx.kept["runId"]))
        output = _output(result)
        if result.status == RunStatus.COMPLETED or config.on_child_failure == "continue":
            return Done(output)
        reason = f": {result.error}" if result.error else "."
        return Fail(f"The child run is {result.status}{reason}", "child", output=output)


def _output(result: ChildResult) -> dict[str, JSON]:
    return {
        "runId": result.run_id,
        "status": result.status,
        "outputs": dict(result.outputs),
        "error": result.error,
    }
