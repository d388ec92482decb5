"""Tests of one step with given data: the step is done for real, outside of any run of its own.

What it comes to stays on record as a run whose trigger type is ``test``, so that an effect is
never without a trace. Such a run does not come to Airflow, and does not go on or wait.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from automations.db import loop_cursors, run_steps, runs, workflows
from automations.db.session import Session, unit_of_work
from automations.db.tables import Run, RunStep, Workflow
from automations.definitions.model import walk
from automations.domain.fields import parse_duration
from automations.domain.principals import Principal
from automations.domain.statuses import RunStatus, StepStatus
from automations.errors import NotFound, ValidationFailed
from automations.execution.engine import Engine
from automations.execution.entered import Entered
from automations.execution.recording import fail_output, line_of, output_of
from automations.execution.verdicts import TaskRef
from automations.kit.ids import new_id
from automations.kit.values import JSON
from automations.services.audit import audit
from automations.services.runs.template_names import names_of
from automations.services.workflows.loaded import Loaded, load
from automations.steps.outcomes import Branch, Done, Fail, Inside, Outcome, Stop
from automations.steps.registry import STEP_TYPES
from automations.tokens import callback_url, derive_token

MAX_TIMEOUT = timedelta(seconds=60)
"""Somebody waits for the answer, and a thread of the bridge does the work."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a tested step finds.

    Args:
        steps: outputs of other steps, by id or name.
        loop: what ``loop.…`` is for a step in a loop's body.
    """

    input: Mapping[str, JSON] = field(default_factory=dict)
    variables: Mapping[str, JSON] = field(default_factory=dict)
    steps: Mapping[str, JSON] = field(default_factory=dict)
    trigger: Mapping[str, JSON] = field(default_factory=dict)
    submission: Mapping[str, JSON] = field(default_factory=dict)
    loop: Mapping[str, JSON] | None = None


@dataclass(frozen=True, slots=True)
class StepTestResult:
    """What a test came to.

    Args:
        run_id: the run that keeps the record; None when the step was rendered only.
        config: the step's config as it was rendered, secrets masked.
        outcome: None when the step was rendered only, and could be.
    """

    step: Any
    run_id: str | None
    config: Mapping[str, JSON] | None
    outcome: Outcome | None
    duration: timedelta


def render(
    engine: Engine, workspace_id: str, workflow_id: str, step_id: str, given: Given
) -> StepTestResult:
    """Render a step of the newest version with given data, and do nothing.

    Raises:
        NotFound: there is no such automation or step.
        ValidationFailed: the data names a step that there is not.
    """
    began = time.monotonic()
    with unit_of_work() as session:
        workflow, loaded, step = _find(session, workspace_id, workflow_id, step_id)
        run = Run(id=new_id(), started_at=datetime.now(UTC), **_values(workflow, loaded, given))
        entered = _entered(run, loaded, step, given)
    config = engine.preview(entered)
    fail = config if isinstance(config, Fail) else None
    shown = None if isinstance(config, Fail) else config
    return StepTestResult(step, None, shown, fail, timedelta(seconds=time.monotonic() - began))


def run(
    engine: Engine, by: Principal, workflow_id: str, step_id: str, given: Given
) -> StepTestResult:
    """Do a step of the newest version with given data, once; its effects are real.

    Raises:
        NotFound: there is no such automation or step.
        ValidationFailed: the data names a step that there is not.
    """
    with unit_of_work() as session:
        workflow, loaded, step = _find(session, by.workspace_id, workflow_id, step_id)
        now = datetime.now(UTC)
        row = Run(**_values(workflow, loaded, given), started_by=by.name, started_at=now)
        session.add(row)
        session.flush()
        entered = _entered(row, loaded, step, given)
        run_steps.begin(session, row.id, step.id, 0, StepStatus.RUNNING)
        audit.record(
            session,
            "workflow.test_step",
            workflow,
            name=workflow.name,
            stepId=step.id,
            runId=row.id,
        )
    began = time.monotonic()
    outcome = engine.attempt(entered)
    return _recorded(entered, outcome, timedelta(seconds=time.monotonic() - began))


def _find(
    session: Session, workspace_id: str, workflow_id: str, step_id: str
) -> tuple[Workflow, Loaded, Any]:
    workflow = workflows.find(session, workspace_id, workflow_id)
    if workflow is None:
        raise NotFound(f"There is no automation {workflow_id}.")
    loaded = load(session, workflow.id, workflow.version)
    for _, step in walk(loaded.definition.steps):
        if step.id == step_id:
            return workflow, loaded, step
    raise NotFound(f"There is no step {step_id} in version {workflow.version}.")


def _values(workflow: Workflow, loaded: Loaded, given: Given) -> dict[str, Any]:
    trigger = {**given.trigger, "submission": dict(given.submission)}
    return {
        "workspace_id": workflow.workspace_id,
        "workflow_id": workflow.id,
        "version": workflow.version,
        "trigger_type": runs.TEST,
        "trigger_data": trigger,
        "input": dict(given.input),
        "variables": {**loaded.definition.variables, "triggerType": runs.TEST, **given.variables},
    }


def _entered(row: Run, loaded: Loaded, step: Any, given: Given) -> Entered:
    limit = parse_duration(step.timeout) if step.timeout else STEP_TYPES[step.type].timeout
    step = step.model_copy(update={"timeout": f"PT{min(limit, MAX_TIMEOUT).total_seconds()}S"})
    names = names_of(row, loaded, {}, datetime.now(UTC))
    names["trigger"] = {"type": loaded.definition.trigger.type, **given.trigger}
    names["steps"] = _outputs(loaded, given)
    if given.loop is not None:
        names["loop"] = dict(given.loop)
    entered = Entered(
        ref=TaskRef(row.id, row.workflow_id, row.version, step.id),
        loaded=loaded,
        step=step,
        workspace_id=row.workspace_id,
        traceparent=row.traceparent,
        attempt=1,
        started_at=row.started_at,
        names=names,
        kept={},
    )
    if STEP_TYPES[step.type].calls_back(step.config):
        # Of the same form as a real one; nothing waits for it, so it is nobody's.
        names["callback"] = {"url": callback_url(derive_token(f"test:{entered.key}"))}
    return entered


def _outputs(loaded: Loaded, given: Given) -> dict[str, JSON]:
    """The given outputs by id and by name, however they were given."""
    found: dict[str, JSON] = {}
    for _, step in walk(loaded.definition.steps):
        for key in (step.name, step.id):
            if key in given.steps:
                found[step.name] = found[step.id] = given.steps[key]
    unknown = sorted(given.steps.keys() - found.keys())
    if unknown:
        raise ValidationFailed(
            {f"steps.{key}": ["is no id and no name of a step"] for key in unknown}
        )
    return found


def _recorded(entered: Entered, outcome: Outcome, duration: timedelta) -> StepTestResult:
    fail = outcome if isinstance(outcome, Fail) else None
    output = fail_output(fail) if fail else output_of(outcome)
    now = datetime.now(UTC)
    with unit_of_work() as session:
        row = session.get_one(Run, entered.ref.run_id)
        error = f"{entered.step.name}: {fail.error}" if fail else None
        runs.end_run(session, row.id, RunStatus.FAILED if fail else RunStatus.COMPLETED, error)
        if isinstance(outcome, Done) and outcome.variables:
            row.variables = {**row.variables, **outcome.variables}
        node = session.get_one(RunStep, (row.id, entered.step.id))
        run_steps.end(session, node, StepStatus.FAILED if fail else StepStatus.DONE, output, None)
        loop_cursors.clear(session, row.id, node.node_id)
        line = line_of(entered.step, outcome, now - duration, retrying=False)
        run_steps.log(session, row.id, [line])
        return StepTestResult(entered.step, row.id, node.input, outcome, duration)


def waits(outcome: Outcome | None) -> bool:
    """Whether the step would wait now, if it were part of a run."""
    return outcome is not None and not isinstance(outcome, Done | Branch | Stop | Fail)


def awaited(outcome: Outcome) -> Outcome:
    """What exactly is waited for: also that of a step in the body of the loop that was tested."""
    return outcome.wait if isinstance(outcome, Inside) else outcome
