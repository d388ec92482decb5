"""The DAG that runs operators of Airflow's providers for steps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

from airflow.sdk import DAG, BaseOperator
from airflow.sdk._shared.secrets_masker import redact
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import (
    AirflowRescheduleException,
    AirflowSkipException,
    DagRunTriggerException,
    DownstreamTasksSkipped,
)

from automations.domain.statuses import DagCallStatus
from automations.errors import DatabaseUnavailable, StepError
from automations.execution.deaths import MAX_DEATHS
from automations.ports import OPERATOR_DAG, OPERATOR_TASK
from automations.services.runs import dag_calls
from automations_airflow.dags import provider_operators
from automations_airflow.dags.dag_builder import OWNER, TAG, UNLIMITED
from automations_airflow.dags.provider_operators import Refused
from automations_airflow.tasks.retries import DEATH_DELAY, DatabaseAway, StepFailed, StepRetryPolicy

log = logging.getLogger("automations.step")

_NO_FAILURES = (
    AirflowSkipException,
    AirflowRescheduleException,
    DownstreamTasksSkipped,
)
"""By which an operator tells Airflow something else than that it has failed."""


def build() -> DAG:
    """The DAG; each run of it is of one operator, of which the step has told our database."""
    dag = DAG(
        OPERATOR_DAG,
        dag_display_name="Operators run by automations",
        description="Runs the operators that steps of the type airflow_operator name.",
        tags=[TAG],
        schedule=None,
        max_active_runs=UNLIMITED,
        is_paused_upon_creation=False,
        default_args={"owner": OWNER},
    )
    CarryingOperator(
        task_id=OPERATOR_TASK,
        task_display_name="Operator",
        retries=MAX_DEATHS,
        retry_delay=DEATH_DELAY,
        retry_policy=StepRetryPolicy(),
        dag=dag,
    )
    return dag


class CarryingOperator(BaseOperator):
    """Makes the operator that a step has asked for, and does as it does.

    What the operator raises for Airflow's sake goes on to Airflow, so that it may defer, wait for
    people or be rescheduled; it is made again when the task is resumed, as any operator is.
    """

    template_fields: Collection[str] = ("operator", "arguments")
    template_fields_renderers: ClassVar[dict[str, str]] = {"arguments": "json"}
    overwrite_rtif_after_execution = True
    operator: str | None = None
    arguments: Mapping[str, Any] | None = None
    _carried: BaseOperator | None = None
    _taker: int | None = None

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Airflow's Jinja never sees what an automation has written: it reads all connections."""
        self.template_fields = ()

    def execute(self, context: Any) -> Any:
        return self._carry(context, lambda carried: carried.execute(context))

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any
    ) -> Any:
        def resume(carried: BaseOperator) -> Any:
            return carried.resume_execution(next_method, next_kwargs, context)

        return self._carry(context, resume)

    def on_kill(self) -> None:
        if self._carried is not None:
            self._carried.on_kill()

    def _carry(self, context: Any, act: Callable[[BaseOperator], Any]) -> Any:
        run_id = context["dag_run"].run_id
        try:
            carried = self._build_operator(run_id)
            # As Airflow's task runner does: by this an operator knows that a task runs it.
            ExecutorSafeguard.tracker.set(carried)
            carried.pre_execute(context)
            result = act(carried)
            carried.post_execute(context, result)
        except DagRunTriggerException as request:
            # Airflow starts it for whoever asks; from a step it is as from one that names the DAG.
            reason = dag_calls.trigger_forbidden(run_id, request.trigger_dag_id)
            if reason is not None:
                raise self._record_end(run_id, DagCallStatus.REFUSED, reason) from request
            raise
        except _NO_FAILURES:
            raise
        except DatabaseUnavailable as error:
            raise DatabaseAway(error.message) from error
        except StepError as error:
            raise self._record_end(run_id, DagCallStatus.REFUSED, error.message) from error
        except Refused as error:
            raise self._record_end(run_id, DagCallStatus.REFUSED, str(error)) from error
        except Exception as error:
            log.exception("The operator has failed")
            message = f"{type(error).__name__}: {redact(str(error))}"
            raise self._record_end(run_id, DagCallStatus.FAILED, message) from error
        return result

    def _build_operator(self, run_id: str) -> BaseOperator:
        call = dag_calls.operator_call(run_id)
        self.operator, self.arguments = call.operator, call.arguments
        self._taker = call.taker
        self.template_fields = ("operator", "arguments")
        self._carried = provider_operators.make(call.operator, call.arguments, self.dag_id)
        return self._carried

    def _record_end(self, run_id: str, status: DagCallStatus, error: str) -> StepFailed:
        """Have the step know why; Airflow would tell it that the task has failed, and no more."""
        dag_calls.operator_ended(run_id, status, error, self._taker)
        return StepFailed(error)
