"""Builds an Airflow DAG from a published definition: one task per step."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup
from airflow.sdk.definitions.param import ParamsDict
from pydantic import ValidationError

from automations.definitions import field_errors
from automations.definitions.model import DEFINITION, Definition
from automations.definitions.plan import Node, Plan
from automations.definitions.published import Published, dag_id
from automations.definitions.triggers import Manual, ScheduleTrigger
from automations.domain.fields import parse_duration
from automations.domain.statuses import WorkflowStatus
from automations.services.runs import by_hand
from automations.steps.registry import STEP_TYPES
from automations_airflow.dags.dag_docs import dag_doc, steps_table, task_doc, trigger_in_words
from automations_airflow.dags.timetable import AutomationTimetable, ScheduleTimetable
from automations_airflow.tasks.operators import OPERATORS, BrokenDefinitionOperator
from automations_airflow.tasks.retries import DEATH_DELAY, StepRetryPolicy, max_retries
from automations_airflow.ui.links import workflow_url
from automations_airflow.ui.params import params_of

log = logging.getLogger(__name__)

OWNER = "automations"
UNLIMITED = 1_000_000
"""Airflow needs a number, but the limit of concurrent runs is our slots'."""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""Airflow needs a start for catch-up, but ours is in the timetable."""
TAG = "automation"
TIMEOUT_SLACK = timedelta(seconds=30)
"""Added to a step's own timeout, which the engine enforces, for Airflow's timeout of the task."""


def build(published: Published, task_id: str | None = None) -> DAG:
    """Build the automation's DAG; for a broken definition, one whose only task says why.

    Args:
        task_id: the task that is about to run, which the DAG of a broken definition must have.
    """
    try:
        return _build(published, DEFINITION.validate_python(published.definition), task_id)
    except ValidationError as error:
        # The error's own text quotes the definition, including secrets, for all who see the DAG.
        errors = field_errors.field_errors(error, published.definition)
        reason = "; ".join(f"{path} {problems[0]}" for path, problems in errors.items())
        log.error("Cannot build automation %s: %s", published.workflow_id, reason)  # noqa: TRY400
        return _stand_in(published, reason, task_id)
    except Exception as error:  # One broken definition must not hide another's DAG.
        log.exception("Cannot build automation %s", published.workflow_id)
        return _stand_in(published, f"{type(error).__name__}: {error}", task_id)


def _build(published: Published, definition: Definition, task_id: str | None) -> DAG:
    plan, trigger = Plan(definition.steps), definition.trigger
    words = trigger_in_words(published, definition)
    dag = _dag(
        published,
        definition.name,
        definition.description,
        [trigger.type],
        _scheduling(published, definition, words),
    )
    # Not for tasks: before each one Airflow would validate the run's input again, by its own rules.
    if isinstance(trigger, Manual) and task_id is None:
        dag.params = ParamsDict(params_of(trigger.input_schema))
    # Never ends in ".md": Airflow would open it as a file.
    dag.doc_md = f"{dag.doc_md}{steps_table(definition)}"
    if not plan.nodes:
        EmptyOperator(task_id="no_steps", task_display_name="No steps", dag=dag)
    groups = _Groups(dag, plan)
    tasks = {node.id: _task(published, node, dag, groups.of(node)) for node in plan.nodes.values()}
    for node in plan.nodes.values():
        tasks[node.id].set_upstream([tasks[upstream] for upstream in node.upstream])
        _label(dag, node)
    return dag


def _label(dag: DAG, node: Node) -> None:
    """Label the edges of a node that branches."""
    ways: dict[str, list[str]] = {}
    for arm, target in node.arms.items():
        if target is not None:
            ways.setdefault(target, []).append(arm)
    for target, arms in ways.items():
        dag.set_edge_info(node.id, target, {"label": ", ".join(arms)})


def _stand_in(published: Published, reason: str, task_id: str | None) -> DAG:
    name = published.definition.get("name")
    shown = name if isinstance(name, str) and name else published.workflow_id
    notice = f"This definition cannot be run.\n\n    {reason}"
    scheduling = _Scheduling(AutomationTimetable("cannot be run", published.version))
    dag = _dag(published, shown, notice, ["broken"], scheduling)
    BrokenDefinitionOperator(
        task_id=task_id or "broken_definition",
        task_display_name="Broken definition",
        reason=reason,
        dag=dag,
    )
    return dag


@dataclass(frozen=True, slots=True)
class _Scheduling:
    """When Airflow itself starts runs, and how many may be active; parked runs count."""

    timetable: AutomationTimetable | ScheduleTimetable
    max_active_runs: int = UNLIMITED
    catchup: bool = False


def _scheduling(published: Published, definition: Definition, words: str) -> _Scheduling:
    since, trigger = published.scheduled_since, definition.trigger
    if (
        not isinstance(trigger, ScheduleTrigger)
        or published.status != WorkflowStatus.ACTIVE
        or not since
    ):
        is_archived = published.status == WorkflowStatus.ARCHIVED
        refusal = by_hand.ARCHIVED if is_archived else None
        return _Scheduling(AutomationTimetable(words, published.version, refusal))
    due = trigger.schedule(definition.timezone)
    return _Scheduling(
        ScheduleTimetable(
            due.cron,
            due.interval,
            due.timezone,
            datetime.fromisoformat(since),
            published.version,
        ),
        # "skip" and "allow" are decided when a run comes:
        # see automations.services.runs.from_airflow.
        max_active_runs=1 if trigger.overlap == "queue" else UNLIMITED,
        catchup=trigger.catchup,
    )


def _dag(
    published: Published,
    name: str,
    description: str,
    tags: list[str],
    scheduling: _Scheduling,
) -> DAG:
    url = workflow_url(published.workflow_id)
    # A comma would make two owners of one.
    owner = (published.owner or OWNER).replace(",", " ")
    tags = [TAG, *tags, published.status.lower()]
    if published.workspace:
        tags.append(f"workspace:{published.workspace}"[:100])
    return DAG(
        dag_id(published.workflow_id),
        dag_display_name=name,
        description=description or None,
        doc_md=dag_doc(published, description, scheduling.timetable.summary, url),
        tags=tags,
        owner_links={owner: url},
        default_args={"owner": owner},
        schedule=scheduling.timetable,
        max_active_runs=scheduling.max_active_runs,
        catchup=scheduling.catchup,
        start_date=LONG_AGO if scheduling.catchup else None,
        is_paused_upon_creation=False,
    )


def _task(published: Published, node: Node, dag: DAG, group: TaskGroup) -> Any:
    step = node.step
    attempts = step.retry.max_attempts if step.retry else 1
    return OPERATORS[step.type](
        task_id=node.id,
        task_display_name=step.name,
        doc_md=task_doc(step),
        workflow_id=published.workflow_id,
        version=published.version,
        trigger_rule="none_failed_min_one_success" if node.joins else "all_success",
        retries=max_retries(attempts),
        retry_delay=DEATH_DELAY,
        retry_policy=StepRetryPolicy(),
        execution_timeout=_execution_timeout(step),
        # The default counts all successors of each task, for a priority that we do not use.
        weight_rule="absolute",
        dag=dag,
        task_group=group,
    )


def _execution_timeout(step: Any) -> timedelta | None:
    if step.timeout is None or STEP_TYPES[step.type].waits(step.config):
        return None
    return parse_duration(step.timeout) + TIMEOUT_SLACK


class _Groups:
    """The task groups of a DAG: one for each nested list that has steps in it."""

    def __init__(self, dag: DAG, plan: Plan) -> None:
        self._dag = dag
        self._plan = plan
        self._ids = plan.groups()
        self._groups: dict[tuple[tuple[str, str], ...], TaskGroup] = {(): dag.task_group}

    def of(self, node: Node) -> TaskGroup:
        """The group that a node lies in."""
        return self._group(node.within)

    def _group(self, within: tuple[tuple[str, str], ...]) -> TaskGroup:
        if within not in self._groups:
            owner, arm = within[-1]
            self._groups[within] = TaskGroup(
                self._ids[within[-1]],
                group_display_name=f"{self._plan.nodes[owner].step.name}: {arm}",
                prefix_group_id=False,
                parent_group=self._group(within[:-1]),
                dag=self._dag,
            )
        return self._groups[within]
