"""Run an operator of one of Airflow's providers."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from automations.domain.fields import Model, OrTemplate, Text, is_template
from automations.domain.statuses import DagCallStatus
from automations.kit.values import JSON
from automations.ports import OPERATOR_DAG, OPERATOR_TASK, Ports
from automations.steps.base import StepContext, StepType
from automations.steps.outcomes import Answer, Done, Fail, Outcome, WaitForRun


class AirflowOperatorConfig(Model):
    """Which operator to run, and with what."""

    operator: Text = Field(
        min_length=1,
        max_length=300,
        description="The dotted path of the operator's class. The setting "
        "AUTOMATIONS_OPERATOR_ALLOW must name it; GET /api/operators lists the "
        "allowed ones.",
    )
    arguments: OrTemplate[dict[str, JSON]] = Field(
        default_factory=dict,
        description="The operator's arguments, by parameter name; or one template that produces "
        "them. Write a timedelta as an ISO 8601 duration, or as a number of seconds "
        "if the parameter takes no timedelta; a date, a time and a datetime as ISO "
        "8601, the last with its offset from UTC.",
    )


class AirflowOperator(StepType[AirflowOperatorConfig]):
    """Run an operator of one of Airflow's providers, and wait until it ends.

    An Airflow worker runs it as the only task of a run of the DAG `automations_operator`, which has
    its log; it may defer. Airflow's connections are available by id, as in `conn_id`; the
    workspace's secrets are not. Airflow's own templates are not rendered. Each attempt is another
    run, which ends together with the run that waits for it. An operator that starts runs of another
    DAG may do so only if AUTOMATIONS_DAG_ALLOW names that DAG.

    An operator whose process is killed, for instance by a lack of memory, runs again from the
    start, up to four times, even if the step has no `retry`: its effects should be repeatable.
    """

    type = "airflow_operator"
    title = "Run an operator of Airflow's"
    Config = AirflowOperatorConfig
    example: ClassVar = {
        "operator": "airflow.providers.standard.operators.bash.BashOperator",
        "arguments": {"bash_command": 'echo "Hello, $NAME"', "env": {"NAME": "{{input.name}}"}},
    }
    keeps = True
    pauses = True
    outputs: ClassVar = {
        "result": "the operator's return value; null if there is none, or if it was skipped",
        "runId": "the id of its DagRun",
        "dagId": "`automations_operator`",
        "status": "COMPLETED",
    }

    def is_idempotent(self, config: AirflowOperatorConfig) -> bool:
        return True

    def unavailable(
        self, config: AirflowOperatorConfig, workspace_id: str, ports: Ports
    ) -> str | None:
        if is_template(config.operator):
            return None
        return ports.dags.operator_forbidden(workspace_id, config.operator)

    def run(self, config: AirflowOperatorConfig, ctx: StepContext) -> Outcome:
        arguments = config.arguments if isinstance(config.arguments, dict) else {}
        key = f"{ctx.idempotency_key}:{ctx.attempt}"
        run_id = ctx.ports.dags.start_operator(ctx.run_id, config.operator, arguments, key)
        return WaitForRun(run_id, OPERATOR_DAG)

    def resume(self, config: AirflowOperatorConfig, ctx: StepContext, answer: Answer) -> Outcome:
        result = ctx.ports.dags.result(str(ctx.kept["runId"]))
        output: dict[str, JSON] = {
            "result": result.outputs.get(OPERATOR_TASK),
            "runId": result.run_id,
            "dagId": result.dag_id,
            "status": result.status,
        }
        if result.status == DagCallStatus.COMPLETED:
            return Done(output)
        if result.status == DagCallStatus.REFUSED:
            return Fail(result.error or "Airflow refuses the run.", "config", output=output)
        name = config.operator.rpartition(".")[2]
        reason = f": {result.error}" if result.error else "."
        failed = f"{name} is {result.status}{reason}"
        return Fail(failed, "operator", retryable=True, output=output, anew=True)
