"""The operator classes, one per step type; a sensor if the type always waits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, ClassVar

from airflow.sdk import BaseOperator, BaseSensorOperator, TaskInstanceState
from airflow.sdk.bases.skipmixin import XCOM_SKIPMIXIN_KEY, XCOM_SKIPMIXIN_SKIPPED
from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped

from automations import wiring
from automations.definitions.published import run_id
from automations.errors import DatabaseUnavailable
from automations.execution.engine import Engine
from automations.execution.journal import Journal
from automations.execution.verdicts import (
    AskPeople,
    GiveUp,
    Proceed,
    Retry,
    Skip,
    Sleep,
    TaskRef,
    Verdict,
)
from automations.kit import logs, tracing
from automations.steps.registry import STEP_TYPES
from automations_airflow.secrets import AIRFLOW_SECRETS
from automations_airflow.tasks import lineage
from automations_airflow.tasks.ahead import run_following_tasks
from automations_airflow.tasks.finished_tasks import skipped_ids
from automations_airflow.tasks.retries import (
    AttemptFailed,
    DatabaseAway,
    StepFailed,
    StepRetryPolicy,
    reported_deaths,
    reported_failure,
)
from automations_airflow.ui.links import links_of
from automations_airflow.waits.waiting import answer_of, ask, park_for_people, park_until

log = logging.getLogger("automations.step")
"""What is logged here is the task's log."""


_IDS = ("workflowId", "runId", "stepId")


class StepTask:
    """Has the engine run one node of an automation, and acts on the engine's verdict."""

    workflow_id: str
    version: int
    task_id: str
    step_type: ClassVar[str]

    # A step may skip successors, and Airflow must not run these when they are cleared.
    inherits_from_skipmixin = True

    # For Airflow's page *Rendered Templates*: the config as the engine rendered and masked it.
    template_fields: Collection[str] = ("config",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"config": "json"}
    overwrite_rtif_after_execution = True
    config: Mapping[str, Any] | None = None
    summary: Mapping[str, Any] | None = None
    """Small values of the step's output, once it is done."""

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Definitions hold our own templates: Airflow's Jinja never sees them."""
        # Reporting that there is nothing to show yet would cost every task a request.
        self.template_fields = ()

    def execute(self, context: Any) -> Any:
        if (failed := reported_failure()) is not None:
            raise failed
        return self._do(context, lambda engine, ref, journal: engine.run(ref, journal))

    def resume(
        self, context: Any, event: Mapping[str, Any], wait_id: str, options: Sequence[str] = ()
    ) -> Any:
        """Go on after a wait; Airflow calls it with what woke the task.

        Args:
            options: ignored; tasks that an earlier version parked still pass it.
        """
        answer = answer_of(event)
        return self._do(
            context, lambda engine, ref, journal: engine.resume(ref, wait_id, answer, journal)
        )

    def _do(self, context: Any, ask: Callable[[Engine, TaskRef, Journal], Verdict]) -> Any:
        journal = _journal()
        try:
            engine, ref = wiring.engine(AIRFLOW_SECRETS), self._ref(context)
            verdict = ask(engine, ref, journal)
            if isinstance(verdict, Proceed):
                self.summary = verdict.summary
                run_following_tasks(engine, verdict, context, ref, _journal)
            return self._act(verdict, context)
        except DatabaseUnavailable as error:
            raise DatabaseAway(error.message) from error
        finally:
            self._show(journal.config)
            tracing.flush()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What the step has read and written, for the OpenLineage provider, which calls this."""
        return lineage.translate(lineage.of_step(self.step_type, self.config))

    def _show(self, config: Mapping[str, Any] | None) -> None:
        if config is not None:
            self.config, self.template_fields = config, ("config",)

    def _ref(self, context: Any) -> TaskRef:
        run = context["dag_run"]

        def is_skipped(task_id: str) -> bool:
            ti = context["ti"]
            states = ti.get_task_states(ti.dag_id, task_ids=[task_id], run_ids=[ti.run_id])
            return bool(states.get(ti.run_id, {}).get(task_id) == TaskInstanceState.SKIPPED)

        return TaskRef(
            run_id=run_id(self.workflow_id, run.run_id),
            dag_run_id=run.run_id,
            workflow_id=self.workflow_id,
            version=self.version,
            node_id=self.task_id,
            generation=run.clear_number or 0,
            run_type=str(getattr(run.run_type, "value", run.run_type)),
            conf=run.conf or {},
            started_by=run.triggering_user_name,
            due_at=run.logical_date,
            deaths=reported_deaths(),
            is_skipped=is_skipped,
        )

    def _act(self, verdict: Verdict, context: Any) -> Any:
        ti = context["ti"]
        match verdict:
            case Proceed():
                return self._proceed(verdict, ti)
            case AskPeople():
                ask(verdict, context)
                park_for_people(verdict)
            case Sleep():
                park_until(verdict)
            case Retry():
                raise AttemptFailed(verdict.error, verdict.delay)
            case GiveUp():
                raise StepFailed(verdict.error)
            case Skip():
                raise AirflowSkipException(verdict.reason)
        raise TypeError(f"The engine answered {verdict!r}.")

    def _proceed(self, verdict: Proceed, ti: Any) -> dict[str, Any]:
        summary = dict(verdict.summary)
        if skipped := skipped_ids(ti.task, verdict.targets):
            # Skipping ends the task with an exception, so a returned value would be lost.
            ti.xcom_push("return_value", summary)
            # From this the scheduler knows whom to skip when they are cleared.
            ti.xcom_push(XCOM_SKIPMIXIN_KEY, {XCOM_SKIPMIXIN_SKIPPED: skipped})
            raise DownstreamTasksSkipped(tasks=skipped)
        return summary


class StepOperator(StepTask, BaseOperator):
    """A step that does its work and ends."""

    def __init__(self, *, workflow_id: str, version: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.version = version


class StepSensor(StepTask, BaseSensorOperator):
    """A step that waits, without occupying a worker."""

    def __init__(self, *, workflow_id: str, version: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.version = version


class BrokenDefinitionOperator(BaseOperator):
    """Stands in for a definition that cannot be built, and fails with the reason."""

    template_fields = ()

    def __init__(self, *, reason: str, **kwargs: Any) -> None:
        super().__init__(retry_policy=StepRetryPolicy(), **kwargs)
        self.reason = reason

    def execute(self, context: Any) -> None:
        raise StepFailed(self.reason)


def _journal() -> Journal:
    return Journal(_TaskLog())


class _TaskLog:
    """Writes a task's log; its first line has the ids, which each line would push out of sight."""

    def __init__(self) -> None:
        self._has_begun = False

    def __call__(self, level: int, text: str) -> None:
        with logs.unbound(*_IDS) if self._has_begun else nullcontext():
            log.log(level, "%s", text)
        self._has_begun = True


def class_name(step_type: str) -> str:
    """``http_request`` becomes ``HttpRequestOperator``."""
    return "".join(part.title() for part in step_type.split("_")) + "Operator"


OPERATORS: dict[str, type[StepOperator] | type[StepSensor]] = {}
"""The operator class of each step type."""

# EmailOperator, HttpRequestOperator, ConditionOperator, DelayOperator, ApprovalOperator, …
for _name, _type in STEP_TYPES.items():
    _base = StepSensor if _type.pauses else StepOperator
    OPERATORS[_name] = globals()[class_name(_name)] = type(
        class_name(_name),
        (_base,),
        {
            "__module__": __name__,
            "__doc__": _type.__doc__,
            "operator_extra_links": links_of(_name),
            "step_type": _name,
        },
    )
