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
        description="The dotted path of its class, where the setting AUTOMATIONS_OPERATOR_ALLOW "
        "names it. GET /api/operators lists those that may be run.",
    )
    arguments: OrTemplate[dict[str, JSON]] = Field(
        default_factory=dict,
        description="What it is made with, by the names of its parameters; or one template that "
        "gives it. A timedelta is written as an ISO 8601 duration, or as a number of seconds "
        "where the parameter takes none; a date, a time and a datetime as ISO 8601, the last with "
        "its offset from UTC.",
    )


class AirflowOperator(StepType[AirflowOperatorConfig]):
    """Run an operator of one of Airflow's providers, and wait for its end.

    It is run by a worker of Airflow's, as the only task of a run of the DAG `automations_operator`,
    where its log is; it may defer. The connections of Airflow are there by their ids, as in
    `conn_id`; the workspace's secrets are not. Airflow's own templates are not filled in. Each
    attempt is another run; it is ended with the run that waits for it. One that starts runs of
    another DAG may do so where AUTOMATIONS_DAG_ALLOW names that DAG.

    An operator whose process is killed, as by a lack of memory, is run again from its beginning, up
    to four times, also where the step has no `retry`: what it does should bear being done twice.
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
        "result": "what the operator has returned; null when that is nothing, or it was skipped",
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
        found = ctx.ports.dags.result(str(ctx.kept["runId"]))
        output: dict[str, JSON] = {
            "result": found.outputs.get(OPERATOR_TASK),
            "runId": found.run_id,
            "dagId": found.dag_id,
            "status": found.status,
        }
        if found.status == DagCallStatus.COMPLETED:
            return Done(output)
        if found.status == DagCallStatus.REFUSED:
            return Fail(found.error or "Airflow refuses the run.", "config", output=output)
        name = config.operator.rpartition(".")[2]
        reason = f": {found.error}" if found.error else "."
        failed = f"{name} is {found.status}{reason}"
        return Fail(failed, "operator", retryable=True, output=output, anew=True)
