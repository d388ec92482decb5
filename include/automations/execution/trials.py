"""Trials: a whole automation is run through with sample data, without effects outside.

Each step is attempted as in a run, by ports that only tell what would be done. What a step can find
out without an effect is real; what others would have answered is a sample's, or that of an earlier
run, or made up. Nothing of a trial is on record: no run, no wait, no line in the audit log.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, StrEnum
from typing import Any

from automations.db.runs import run_steps
from automations.db.session import reading
from automations.db.tables import Run, Workflow
from automations.definitions.model import Definition, enabled_steps, nested_lists
from automations.definitions.plan import Plan
from automations.domain.loops import names_of_item
from automations.execution.trial_data import (
    TrialData,
    by_id_and_name,
    earlier_run,
    names_found,
    values_of_run,
)
from automations.execution.trial_steps import SampleAnswer, StepTrials, TriedStatus, TriedStep
from automations.kit import common_clock
from automations.kit.ids import new_id
from automations.kit.values import JSON
from automations.ports import Ports
from automations.services.workflows.definitions import Loaded, load
from automations.services.workflows.lookups import require
from automations.steps.outcomes import Done, Fail, Outcome

MAX_ITEMS = 3
"""Of a loop, which does the same for each of them."""
MAX_TRIED = 300
"""Steps of one trial: more nobody reads."""
MAX_TOLD = 4_000_000
"""Characters of one trial, or as many as its last step has more: they are one answer."""
MAX_TIME = timedelta(seconds=60)
"""Somebody waits for the answer."""


class TrialStatus(StrEnum):
    """How a trial has ended; ``CUT`` when it would have gone on beyond what is tried."""

    COMPLETED = "completed"
    FAILED = "failed"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Trial:
    """What an automation would do, step by step."""

    status: TrialStatus
    steps: Sequence[TriedStep]
    error: str | None


def run(
    ports: Ports,
    workspace_id: str,
    workflow_id: str,
    trial_data: TrialData,
    answers: Mapping[str, SampleAnswer],
    definition: Definition | None = None,
) -> Trial:
    """Try an automation.

    Args:
        ports: what is read by.
        answers: how pauses are passed, by ids or names of steps; approved when nothing is said.
        definition: what it is to become; its newest version when None.

    Raises:
        NotFound: there is no such automation or run.
        ValidationFailed: the data names a step that there is not.
    """
    with reading() as session:
        workflow = require(session, workspace_id, workflow_id)
        loaded = _load(workflow, definition) or load(session, workflow.id, workflow.version)
        earlier = earlier_run(session, workflow, trial_data)
        values = values_of_run(workflow, loaded, trial_data, earlier)
        recorded = run_steps.outputs(session, earlier.id) if earlier is not None else {}
    row = Run(id=new_id(), started_at=common_clock.now(), **values)
    names = names_found(row, loaded, {})
    samples = {**recorded, **by_id_and_name(loaded, trial_data.steps, "steps")}
    passed = by_id_and_name(loaded, answers, "answers")
    trial = _Trial(StepTrials(ports, row, loaded, samples, passed), row.variables)
    return trial.all_of(loaded.definition.steps, names)


def _load(workflow: Workflow, definition: Definition | None) -> Loaded | None:
    if definition is None:
        return None
    return Loaded(workflow.id, workflow.version, definition, Plan(definition.steps))


@dataclass(slots=True)
class _Scope:
    """A list of steps that is gone through: of the run, or of one item of a loop."""

    names: Mapping[str, JSON]
    where: str = ""
    iteration: tuple[int, ...] = ()
    outputs: dict[str, JSON] = field(default_factory=dict)
    last: JSON = None


@dataclass(frozen=True, slots=True)
class _Failed:
    step_name: str
    fail: Fail


class _StopReason(Enum):
    """Why a list of steps is not gone through to its end, though none has failed."""

    STOPPED = "stopped"
    CUT = "cut"


class _Trial:
    """One trial, and what it has come to so far."""

    def __init__(self, steps: StepTrials, variables: Mapping[str, JSON]) -> None:
        self._steps = steps
        self._variables = dict(variables)
        self._tried: list[TriedStep] = []
        self._until = time.monotonic() + MAX_TIME.total_seconds()
        self._is_cut = False
        self._told = 0

    def all_of(self, steps: list[Any], names: Mapping[str, JSON]) -> Trial:
        """Go through the automation."""
        match self._run_steps(steps, _Scope(names)):
            case _Failed(step_name, fail):
                return Trial(TrialStatus.FAILED, self._tried, f"{step_name}: {fail.error}")
            case _StopReason.CUT:
                return Trial(TrialStatus.CUT, self._tried, None)
        return Trial(TrialStatus.COMPLETED, self._tried, None)

    def _run_steps(self, steps: list[Any], scope: _Scope) -> _Failed | _StopReason | None:
        """Go through a list of steps; what keeps it from its end, if anything does."""
        for step in enabled_steps(steps):
            is_long = len(self._tried) >= MAX_TRIED or self._told > MAX_TOLD
            if is_long or time.monotonic() > self._until:
                self._is_cut = True
                return _StopReason.CUT
            tried = self._try(step, scope)
            # A loop that was cut inside has ended like any other.
            stop_reason = _StopReason.CUT if self._is_cut else self._follow(step, tried, scope)
            if stop_reason is not None:
                return stop_reason
        return None

    def _try(self, step: Any, scope: _Scope) -> TriedStep:
        place = len(self._tried)
        names = self._names(scope)

        def iterate(config: Any, items: list[JSON]) -> Outcome:
            return self._loop(scope, names, config, items)

        tried = self._steps.try_step(step, names, scope.where, scope.iteration, iterate)
        # A loop stands before what is in it.
        self._tried.insert(place, tried)
        self._told += tried.characters
        scope.last = scope.outputs[step.id] = scope.outputs[step.name] = dict(tried.output)
        self._variables |= tried.variables
        return tried

    def _follow(self, step: Any, tried: TriedStep, scope: _Scope) -> _Failed | _StopReason | None:
        """Go through the steps inside of a step that its outcome leads to: an arm, or ``onError``.

        Returns:
            What keeps the list that the step is in from its end, if anything does.
        """
        arm = tried.arm
        if tried.status == TriedStatus.FAILED and tried.fail is not None:
            if step.on_error == "fail":
                return _Failed(step.name, tried.fail)
            arm = "onError" if isinstance(step.on_error, list) else None
        elif tried.stops:
            return _StopReason.STOPPED
        nested = {name: inner for name, _, inner in nested_lists(step)}
        return self._run_steps(nested[arm], scope) if arm in nested else None

    def _names(self, scope: _Scope) -> dict[str, JSON]:
        around = scope.names["steps"]
        steps = {**(around if isinstance(around, dict) else {}), **scope.outputs}
        return {**scope.names, "variables": dict(self._variables), "steps": steps}

    def _loop(
        self, scope: _Scope, names: Mapping[str, JSON], config: Any, items: list[JSON]
    ) -> Outcome:
        """Go through the first items of a loop."""
        results: list[JSON] = []
        errors: list[JSON] = []
        for index in range(min(len(items), MAX_ITEMS)):
            item_names = names_of_item(items, index, names.get("loop"))
            where = f"{scope.where}item {index}, "
            inner = _Scope({**names, "loop": item_names}, where, (*scope.iteration, index))
            stop_reason = self._run_steps(config.steps, inner)
            if isinstance(stop_reason, _Failed):
                message = f"step '{stop_reason.step_name}': {stop_reason.fail.error}"
                if config.on_item_error == "fail":
                    return Fail(f"item {index}, {message}", stop_reason.fail.kind)
                errors.append({"index": index, "error": message})
            results.append(None if isinstance(stop_reason, _Failed) else inner.last)
        return Done({"count": len(items), "results": results, "errors": errors})
