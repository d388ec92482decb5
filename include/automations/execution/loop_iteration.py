"""One iteration of a loop: its steps, in order, each with as many attempts as it may have."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from automations.db.session import unit_of_work
from automations.db.waits import callbacks
from automations.definitions.model import Step, enabled_steps, nested_lists
from automations.execution.attempt import Attempt
from automations.execution.attempts import Attempts
from automations.execution.loop_log import IterationPath, LoopLog
from automations.execution.loop_progress import Cursor, Interrupted, Progress
from automations.execution.loop_records import ItemDone, NextAttempt, StepEnded
from automations.execution.recording import fail_output
from automations.kit import common_clock
from automations.kit.values import JSON
from automations.steps.outcomes import (
    Answer,
    Branch,
    Done,
    Fail,
    Outcome,
    Stop,
    WaitForCallback,
    WaitForDecision,
    WaitForRun,
    WaitForSubmissions,
    WaitInLoop,
    WaitToRetry,
    WaitUntil,
)
from automations.steps.registry import STEP_TYPES

MAX_HOLD = timedelta(seconds=5)
"""The longest retry delay that is slept through in the worker; for longer ones the loop parks.
Parking and starting another process takes Airflow about as long."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The surroundings of one loop.

    Args:
        path: empty for the node's own loop; ``[3]/inner`` for one in its fourth iteration.
        step: the loop itself.
        names: what its templates may refer to.
        where: the loop, for people.
        place: the iteration of the enclosing loop that it is in.
    """

    path: str
    step: Step
    names: Mapping[str, JSON]
    where: str
    place: IterationPath


@dataclass(frozen=True, slots=True)
class SharedState:
    """What the loops of one node share.

    Args:
        attempts: makes the attempts at the steps of their bodies.
        go_through: runs a nested loop.
    """

    attempts: Attempts
    progress: Progress
    log: LoopLog
    go_through: Callable[[Scope, Any, list[JSON]], Outcome | Interrupted]

    def first_items(self, step: Step, path: str) -> dict[str, JSON]:
        """The items that a step at a path began with, if it is a loop that began before."""
        item_name = STEP_TYPES[step.type].repeats_for
        items = None if item_name is None else self.progress.items(path)
        return {} if item_name is None or items is None else {item_name: items}

    def answer_to(self, key: str) -> Answer | None:
        """How the wait of the step with this key ended, if that woke the loop."""
        answer = self.attempts.node.answer
        return answer if answer is not None and self.progress.waits_at(key) else None


@dataclass(frozen=True, slots=True)
class StepFailed:
    """The iteration failed because one of its steps did."""

    step_name: str
    fail: Fail


Ended = ItemDone | StepFailed | WaitInLoop | Interrupted
"""How an iteration ends, or stops for now."""


class Iteration:
    """One iteration of a loop, and the outputs of its steps."""

    def __init__(
        self,
        shared: SharedState,
        scope: Scope,
        cursor: Cursor,
        place: IterationPath,
        item: Mapping[str, JSON],
    ) -> None:
        """Prepare it.

        Args:
            item: the value of ``loop`` in its templates.
        """
        self._shared = shared
        self._progress = shared.progress
        self._scope = scope
        self._cursor = cursor
        self._place = place
        self._item = item
        self._index = place.indexes[-1]
        self._path = f"{scope.path}[{self._index}]"
        self._outputs: dict[str, JSON] = {}
        self._last: JSON = None

    def run(self, steps: list[Step]) -> Ended:
        """Run the steps, except those that have a result from before."""
        ended = self._run(steps)
        if ended is None or isinstance(ended, StepEnded):
            return ItemDone(self._last)
        return ended

    def _run(self, steps: list[Step]) -> StepEnded | StepFailed | WaitInLoop | Interrupted | None:
        """Run some steps; returns what stops the iteration, if anything does."""
        for step in enabled_steps(steps):
            result = self._step(step)
            if not isinstance(result, StepEnded):
                return result
            self._last = self._outputs[step.id] = self._outputs[step.name] = result.output
            if result.stop:
                return result
            if result.arm is not None:
                nested = {name: inner for name, _, inner in nested_lists(step)}
                if (stopped := self._run(nested.get(result.arm, []))) is not None:
                    return stopped
        return None

    def _step(self, step: Step) -> StepEnded | StepFailed | WaitInLoop | Interrupted:
        record = self._cursor.record(self._index, step.id)
        if isinstance(record, StepEnded):
            return record
        outcome = self._after_attempts(step, record)
        if isinstance(outcome, Interrupted):
            return outcome
        result = self._result_of(step, outcome)
        if isinstance(result, StepEnded):
            self._progress.step(
                self._cursor,
                self._index,
                step.id,
                result,
                idempotent=STEP_TYPES[step.type].is_idempotent(step.config),
                variables=outcome.variables if isinstance(outcome, Done) else {},
            )
        return result

    def _result_of(
        self, step: Step, outcome: Outcome
    ) -> StepEnded | StepFailed | WaitInLoop | Interrupted:
        match outcome:
            case Done(output):
                return StepEnded(dict(output))
            case Branch(output, arm):
                return StepEnded(dict(output), arm)
            case Stop(output):
                return StepEnded(dict(output), stop=True)
            case Fail():
                if step.on_error == "fail":
                    self._progress.give_up(self._cursor, self._index, step.id)
                    return StepFailed(step.name, outcome)
                rescued = isinstance(step.on_error, list)
                return StepEnded(fail_output(outcome), "onError" if rescued else None)
            case WaitInLoop():
                return outcome
            case WaitToRetry():
                return WaitInLoop(outcome, self._key(step))
            case (
                WaitUntil()
                | WaitForDecision()
                | WaitForCallback()
                | WaitForSubmissions()
                | WaitForRun()
            ):
                key = self._key(step)
                return self._progress.park(key) or WaitInLoop(outcome, key)

    def _after_attempts(self, step: Step, record: NextAttempt | None) -> Outcome | Interrupted:
        """Attempt a step as often as its retry policy allows, and return the last outcome.

        Args:
            record: the next attempt, if there were some before.
        """
        following = record or NextAttempt(1, common_clock.now())
        while True:
            left = following.due_at - common_clock.now()
            if left > MAX_HOLD:
                return WaitToRetry(following.due_at)
            time.sleep(max(left, timedelta(0)).total_seconds())
            began = common_clock.now()
            outcome = self._attempt(step, following.number)
            if isinstance(outcome, Interrupted):
                return outcome
            delay = _delay_until_next(step, outcome, following.number)
            retrying = delay is not None
            self._shared.log.add(self._place, step, outcome, began, retrying=retrying)
            if delay is None:
                return outcome
            noted = self._progress.retry(
                self._cursor, self._index, step.id, following.number + 1, delay
            )
            if isinstance(noted, Interrupted):
                return noted
            following = noted

    def _attempt(self, step: Step, number: int) -> Outcome | Interrupted:
        shared, key = self._shared, self._key(step)
        names = self._names()
        if STEP_TYPES[step.type].calls_back(step.config):
            names["callback"] = {"url": self._callback(key)}
        if (interrupted := self._progress.begin()) is not None:
            return interrupted
        where = f"{self._scope.where}, item {self._index}, step '{step.name}'"
        inner = Scope(f"{self._path}/{step.id}", step, names, where, self._place)
        within: list[Interrupted] = []

        def iterate(config: Any, items: list[JSON]) -> Outcome:
            outcome = shared.go_through(inner, config, items)
            if isinstance(outcome, Interrupted):
                # The step sees a failure, but its own outcome is discarded.
                within.append(outcome)
                return outcome.fail
            return outcome

        answer = shared.answer_to(key)
        outcome = shared.attempts.make(
            Attempt(
                step=step,
                where=where,
                names=names,
                key=key,
                number=number,
                iterate=iterate,
                already_rendered=lambda: shared.first_items(step, inner.path),
                answer=answer,
                kept=shared.attempts.node.kept if answer is not None else {},
                iteration=self._place.indexes,
                quiet=not self._place.shown,
            )
        )
        return within[0] if within else outcome

    def _names(self) -> dict[str, JSON]:
        names = self._scope.names
        return {
            **names,
            "variables": self._progress.variables,
            "loop": self._item,
            "steps": {**names["steps"], **self._outputs},
        }

    def _key(self, step: Step) -> str:
        return f"{self._shared.attempts.node.key}{self._path}/{step.id}"

    def _callback(self, key: str) -> str:
        with unit_of_work() as session:
            return callbacks.hand_out(session, self._shared.attempts.node.ref.run_id, key)


def _delay_until_next(step: Step, outcome: Outcome, number: int) -> timedelta | None:
    """How long to wait for the next attempt; None when there is none."""
    retry = step.retry
    if retry is None or not isinstance(outcome, Fail) or not outcome.retryable:
        return None
    if not retry.covers(outcome.kind, number):
        return None
    delay: timedelta = retry.delay_after(number)
    return max(delay, outcome.retry_after or timedelta(0))
