"""What step tests and trials share: their data, and the step to attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from automations.db.runs import run_queries, runs
from automations.db.session import Session
from automations.db.tables import Run, Workflow
from automations.definitions.model import walk
from automations.domain.fields import parse_duration
from automations.errors import NotFound, ValidationFailed
from automations.execution.entered import Entered
from automations.execution.verdicts import TaskRef
from automations.kit import common_clock
from automations.kit.values import JSON
from automations.services.runs.template_names import names_of
from automations.services.workflows.definitions import Loaded
from automations.steps.registry import STEP_TYPES
from automations.tokens import callback_url, derive_token

T = TypeVar("T")

MAX_TIMEOUT = timedelta(seconds=60)
"""Of a step: somebody waits for the answer, and a thread of the bridge does the work."""


@dataclass(frozen=True, slots=True)
class TrialData:
    """Data that was given for a test or a trial.

    Args:
        run_id: a run of the automation whose data and outputs it finds, below what is given here.
        steps: outputs of other steps, by id or name.
        loop: what ``loop.…`` is for a step in a loop's body.
    """

    run_id: str | None = None
    input: Mapping[str, JSON] = field(default_factory=dict)
    variables: Mapping[str, JSON] = field(default_factory=dict)
    steps: Mapping[str, JSON] = field(default_factory=dict)
    trigger: Mapping[str, JSON] = field(default_factory=dict)
    submission: Mapping[str, JSON] = field(default_factory=dict)
    loop: Mapping[str, JSON] | None = None


def earlier_run(session: Session, workflow: Workflow, trial_data: TrialData) -> Run | None:
    """The run whose data is found below what is given.

    Raises:
        NotFound: the automation has none of this id.
    """
    if trial_data.run_id is None:
        return None
    run = run_queries.find(session, workflow.id, trial_data.run_id)
    if run is None:
        raise NotFound(f"The automation has no run {trial_data.run_id}.")
    return run


def values_of_run(
    workflow: Workflow, loaded: Loaded, trial_data: TrialData, earlier: Run | None
) -> dict[str, Any]:
    """What the row of a run has that begins with what is given."""
    recorded = {} if earlier is None else earlier.trigger_data
    trigger: dict[str, Any] = {**recorded, **trial_data.trigger}
    if trial_data.submission:
        before = trigger.get("submission")
        trigger["submission"] = {
            **(before if isinstance(before, dict) else {}),
            **trial_data.submission,
        }
    return {
        "workspace_id": workflow.workspace_id,
        "workflow_id": workflow.id,
        "version": workflow.version,
        "trigger_type": runs.TEST,
        "trigger_data": trigger,
        "input": {**(earlier.input if earlier else {}), **trial_data.input},
        "variables": {
            **loaded.definition.variables,
            **(earlier.variables if earlier else {}),
            "triggerType": runs.TEST,
            **trial_data.variables,
        },
    }


def names_found(row: Run, loaded: Loaded, outputs: Mapping[str, JSON]) -> dict[str, Any]:
    """The names that templates find in such a run.

    Args:
        outputs: of its steps, by their ids.
    """
    names = names_of(row, loaded, outputs, common_clock.now())
    # As what the automation's own trigger starts: the type of the run itself is ``test``.
    names["trigger"] = {"type": loaded.definition.trigger.type, **row.trigger_data}
    return names


def enter_alone(row: Run, loaded: Loaded, step: Any, names: dict[str, Any]) -> Entered:
    """A step that is attempted by itself: once, for no longer than somebody waits for it.

    Args:
        row: the run that it is attempted in the name of.
        names: what its templates find; ``callback`` comes to them where the step needs one.
    """
    limit = parse_duration(step.timeout) if step.timeout else STEP_TYPES[step.type].timeout
    seconds = min(limit, MAX_TIMEOUT).total_seconds()
    entered = Entered(
        ref=TaskRef(row.id, row.workflow_id, row.version, step.id),
        loaded=loaded,
        step=step.model_copy(update={"timeout": f"PT{seconds}S"}),
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


def by_id_and_name(loaded: Loaded, values: Mapping[str, T], field_name: str) -> dict[str, T]:
    """What is given of steps, by their ids and their names, however it was given.

    Raises:
        ValidationFailed: there is no such step; names it in the field.
    """
    by_key: dict[str, T] = {}
    for _, step in walk(loaded.definition.steps):
        for key in (step.name, step.id):
            if key in values:
                by_key[step.name] = by_key[step.id] = values[key]
    unknown = sorted(values.keys() - by_key.keys())
    if unknown:
        raise ValidationFailed(
            {f"{field_name}.{key}": ["is no id and no name of a step"] for key in unknown}
        )
    return by_key
