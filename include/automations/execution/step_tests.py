"""Tests one step with given data: it runs for real, outside of any other run.

What it comes to stays on record as a run whose trigger type is ``test``, so that an effect is
never without a trace. Such a run does not come to Airflow, and does not go on or wait.

What a step finds in a run was made by the steps before it: where it uses a secret, or where people
have approved it, made-up outputs would take the one elsewhere and go round the other. Such a step
is done with what a run has recorded, or rendered only.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Any

from automations.db.runs import loop_cursors, run_steps, runs
from automations.db.session import Session, unit_of_work
from automations.db.tables import Run, RunStep, Workflow
from automations.definitions.model import walk
from automations.domain.principals import Principal
from automations.domain.statuses import RunStatus, StepStatus
from automations.errors import NotAllowed, NotFound, ValidationFailed
from automations.execution.engine import Engine
from automations.execution.entered import Entered
from automations.execution.recording import fail_output, line_of, output_of
from automations.execution.trial_data import (
    TrialData,
    by_id_and_name,
    earlier_run,
    enter_alone,
    names_found,
    values_of_run,
)
from automations.kit import common_clock
from automations.kit.ids import new_id
from automations.kit.values import JSON
from automations.services.audit import audit
from automations.services.workflows.definitions import Loaded, load
from automations.services.workflows.lookups import require
from automations.steps.outcomes import Done, Fail, Outcome

_MADE_BY_STEPS = ("steps", "variables", "loop")
"""What only the steps of a run make."""
_SECRET = re.compile(r"\bsecret\s*[.\[|]")
"""A secret as templates, expressions and scripts name it; rather too often than too seldom."""


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
    engine: Engine, workspace_id: str, workflow_id: str, step_id: str, trial_data: TrialData
) -> StepTestResult:
    """Render a step of the newest version with given data, and do nothing.

    Raises:
        NotFound: there is no such automation, step or run.
        ValidationFailed: the data names a step that there is not.
    """
    began = time.monotonic()
    with unit_of_work() as session:
        workflow, loaded, step = _find(session, workspace_id, workflow_id, step_id)
        earlier = earlier_run(session, workflow, trial_data)
        values = values_of_run(workflow, loaded, trial_data, earlier)
        run = Run(id=new_id(), started_at=common_clock.now(), **values)
        entered = _enter(session, run, loaded, step, trial_data)
    config = engine.preview(entered)
    fail = config if isinstance(config, Fail) else None
    rendered = None if isinstance(config, Fail) else config
    return StepTestResult(step, None, rendered, fail, timedelta(seconds=time.monotonic() - began))


def run(
    engine: Engine,
    by: Principal,
    workflow_id: str,
    step_id: str,
    trial_data: TrialData,
    run_id: str | None = None,
) -> StepTestResult:
    """Do a step of the newest version with given data, once; its effects are real.

    Args:
        run_id: of the run that keeps the record; a test that was lost is done again under it.

    Raises:
        NotFound: there is no such automation, step or run.
        NotAllowed: they may not change the automation, and so not try it either.
        ValidationFailed: the data names a step that there is not, or may not be made up.
    """
    if not by.may("ADMIN"):
        raise NotAllowed(
            "Doing a step for real needs the role ADMIN, as changing it does; "
            "set dryRun to have it rendered."
        )
    with unit_of_work() as session:
        workflow, loaded, step = _find(session, by.workspace_id, workflow_id, step_id)
        _check_nothing_made_up(loaded, step, trial_data)
        earlier = earlier_run(session, workflow, trial_data)
        row = session.get(Run, run_id) if run_id else None
        if row is None:
            now, values = common_clock.now(), values_of_run(workflow, loaded, trial_data, earlier)
            row = Run(id=run_id or new_id(), **values, started_by=by.name, started_at=now)
            session.add(row)
            session.flush()
        node = session.get(RunStep, (row.id, step.id))
        if node is not None and node.status in run_steps.ENDED:
            return _come_to(step, node)
        entered = _enter(session, row, loaded, step, trial_data)
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
    return _record(entered, outcome, timedelta(seconds=time.monotonic() - began))


def _find(
    session: Session, workspace_id: str, workflow_id: str, step_id: str
) -> tuple[Workflow, Loaded, Any]:
    workflow = require(session, workspace_id, workflow_id)
    loaded = load(session, workflow.id, workflow.version)
    for _, step in walk(loaded.definition.steps):
        if step.id == step_id:
            return workflow, loaded, step
    raise NotFound(f"There is no step {step_id} in version {workflow.version}.")


def _check_nothing_made_up(loaded: Loaded, step: Any, trial_data: TrialData) -> None:
    made_up = [name for name in _MADE_BY_STEPS if getattr(trial_data, name)]
    if not made_up:
        return
    before = takewhile(
        lambda other: other is not step, (other for _, other in walk(loaded.definition.steps))
    )
    if _SECRET.search(step.model_dump_json()):
        why = "the step names a secret"
    elif any(earlier_step.type == "approval" for earlier_step in before):
        why = "the step comes behind an approval"
    else:
        return
    mend = f"may not be made up, for {why}: give the runId of a run, or set dryRun"
    raise ValidationFailed({name: [mend] for name in made_up})


def _enter(session: Session, row: Run, loaded: Loaded, step: Any, trial_data: TrialData) -> Entered:
    recorded = run_steps.outputs(session, trial_data.run_id) if trial_data.run_id else {}
    names = names_found(row, loaded, recorded)
    names["steps"] = {**names["steps"], **by_id_and_name(loaded, trial_data.steps, "steps")}
    if trial_data.loop is not None:
        names["loop"] = dict(trial_data.loop)
    return enter_alone(row, loaded, step, names)


def _come_to(step: Any, node: RunStep) -> StepTestResult:
    """What a test came to whose answer was lost, as far as that is on record."""
    output = node.output or {}
    error = output.get("error")
    outcome: Outcome = Done(output)
    if node.status == StepStatus.FAILED and isinstance(error, dict):
        outcome = Fail(str(error.get("message")), kind=str(error.get("kind")))
    took = (node.ended_at or node.started_at) - node.started_at
    return StepTestResult(step, node.run_id, node.input, outcome, took)


def _record(entered: Entered, outcome: Outcome, duration: timedelta) -> StepTestResult:
    fail = outcome if isinstance(outcome, Fail) else None
    output = fail_output(fail) if fail else output_of(outcome)
    now = common_clock.now()
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
