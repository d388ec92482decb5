"""Execute a child workflow, or a DAG of the Airflow around us."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from automations.domain.fields import Model, OrTemplate, Text, is_template
from automations.domain.statuses import DagCallStatus, RunStatus
from automations.kit.values import JSON
from automations.ports import ChildResult, DagResult, Ports
from automations.steps.base import StepContext, StepType, Subject
from automations.steps.outcomes import Answer, Done, Fail, Outcome, WaitForRun


class RunWorkflowConfig(Model):
    """What to run, exactly one of ``workflowId`` and ``dagId``, and with what."""

    workflow_id: Text | None = Field(
        None, min_length=1, max_length=100, description="The automation, of the same workspace."
    )
    dag_id: Text | None = Field(
        None,
        min_length=1,
        max_length=250,
        description="A DAG of the surrounding Airflow that is not an automation. The setting "
        "AUTOMATIONS_DAG_ALLOW must name it.",
    )
    input: OrTemplate[dict[str, JSON]] = Field(
        default_factory=dict,
        description="Input of the run, available there as {{input.…}}; or one template that "
        "produces it. For a DAG, its conf.",
    )
    wait_for_completion: bool = Field(
        False,
        strict=True,
        description="Wait until the run has ended; its outputs become this step's. Such a run is "
        "cancelled if this run ends before it; without waiting, only if this run is "
        "cancelled.",
    )
    on_child_failure: Literal["fail", "continue"] = Field(
        "fail", description="What happens when an awaited child fails or is cancelled."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.workflow_id is None) == (self.dag_id is None):
            raise ValueError("give exactly one of workflowId and dagId")
        return self


class RunWorkflow(StepType[RunWorkflowConfig]):
    """Start a run of another automation, nested ten deep at most, and optionally wait for it.

    An automation that would run itself, through ids that are not templates, is not saved. `dagId`
    runs a DAG that is not an automation; the step waits until that run exists, and fails if there
    is no such DAG, if it is paused or has import errors, or if it refuses its conf.
    """

    type = "run_workflow"
    title = "Run an automation"
    Config = RunWorkflowConfig
    refers_to: ClassVar = {"workflow_id": Subject.AUTOMATION}
    example: ClassVar = {"workflowId": "<automation id>", "input": {"name": "{{input.name}}"}}
    keeps = True
    outputs: ClassVar = {
        "runId": "the child run; for a DAG, the DagRun's id",
        "dagId": "for a DAG: its id",
        "status": "its status",
        "outputs": (
            "with waitForCompletion: its outputs, by the names of its steps; for a DAG, "
            "the return values of its tasks, by their ids"
        ),
        "error": "with waitForCompletion: why it failed",
    }

    def waits(self, config: RunWorkflowConfig) -> bool:
        # Why a DAG cannot be run is known when Airflow was asked for it.
        return config.wait_for_completion or config.dag_id is not None

    def is_idempotent(self, config: RunWorkflowConfig) -> bool:
        return True

    def unavailable(self, config: RunWorkflowConfig, workspace_id: str, ports: Ports) -> str | None:
        if config.dag_id is None or is_template(config.dag_id):
            return None
        return ports.dags.forbidden(workspace_id, config.dag_id)

    def run(self, config: RunWorkflowConfig, ctx: StepContext) -> Outcome:
        input_data = config.input if isinstance(config.input, dict) else {}
        key, awaited = ctx.idempotency_key, config.wait_for_completion
        if config.dag_id is not None:
            dag_id = config.dag_id
            run_id = ctx.ports.dags.start(ctx.run_id, dag_id, input_data, key, awaited=awaited)
            return WaitForRun(run_id, dag_id)
        children = ctx.ports.children
        run_id = children.start(
            ctx.run_id, str(config.workflow_id), input_data, key, awaited=awaited
        )
        if awaited:
            return WaitForRun(run_id)
        return Done({"runId": run_id, "status": children.result(run_id).status})

    def resume(self, config: RunWorkflowConfig, ctx: StepContext, answer: Answer) -> Outcome:
        run_id = str(ctx.kept["runId"])
        if "dagId" in ctx.kept:
            return _of_dag(config, ctx.ports.dags.result(run_id))
        result = ctx.ports.children.result(run_id)
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


def _of_dag(config: RunWorkflowConfig, result: DagResult) -> Outcome:
    output: dict[str, JSON] = {
        "runId": result.run_id,
        "dagId": result.dag_id,
        "status": result.status,
    }
    if result.status == DagCallStatus.REFUSED:
        return Fail(result.error or "Airflow refuses the run.", "config", output=output)
    if not config.wait_for_completion:
        return Done(output)
    output |= {"outputs": dict(result.outputs), "error": result.error}
    if result.status == DagCallStatus.COMPLETED or config.on_child_failure == "continue":
        return Done(output)
    reason = f": {result.error}" if result.error else "."
    message = f"The run of DAG {result.dag_id} is {result.status}{reason}"
    return Fail(message, "child", output=output)
