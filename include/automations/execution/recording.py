"""Turns a step's outcome into rows and a verdict, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, assert_never

from automations.db.forms import form_requests
from automations.db.runs import dag_calls, loop_cursors, run_steps, runs
from automations.db.session import Session
from automations.db.tables import Run, RunStep, Wait
from automations.db.waits import callbacks, waits
from automations.definitions.plan import Node, Plan
from automations.domain.statuses import (
    UNFINISHED,
    AttemptStatus,
    Decision,
    RunStatus,
    StepStatus,
    WaitKind,
)
from automations.execution.entered import Entered
from automations.execution.pauses import pause_of, verdict_of
from automations.execution.verdicts import GiveUp, Proceed, Retry, Skip, Sleep, Verdict
from automations.kit import common_clock
from automations.kit.excerpts import excerpt
from automations.kit.values import JSON
from automations.steps.outcomes import (
    Branch,
    Done,
    Fail,
    Outcome,
    Stop,
    WaitForDecision,
    WaitForRun,
    WaitInLoop,
    WaitToRetry,
    WaitUntil,
)
from automations.steps.outcomes import Wait as Awaited
from automations.steps.registry import STEP_TYPES

_SUMMARY_LENGTH = 500
"""Characters of the summary of a step's output, which Airflow keeps in its own database."""
_ERROR_LENGTH = 200
"""Characters of an error in that summary."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """Turns an outcome into rows and a verdict, inside one transaction.

    Args:
        alone: whether this process has done all of the run's steps, none of which has waited.
        more: other columns of the node's row to set.
    """

    session: Session
    entered: Entered
    run: Run
    row: RunStep
    alone: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    def record(self, outcome: Outcome) -> Verdict:
        match outcome:
            case Done(output, variables):
                if variables:
                    self.run.variables = {**self.run.variables, **variables}
                return self._record_done(output, None)
            case Branch(output, arm):
                return self._record_done(output, arm)
            case Stop(output):
                return self._record_done(output, None, stop=True)
            case Fail():
                return self._record_failure(outcome)
            case _:
                return self._wait(outcome)

    def _record_done(self, output: Any, arm: str | None, *, stop: bool = False) -> Verdict:
        ref, plan = self.entered.ref, self.entered.loaded.plan
        verdict = proceed(plan, ref.node_id, output, arm, stop=stop)
        settled = self._close(StepStatus.DONE, dict(output), stored(verdict))
        left_out = plan.pending(settled) if stop else plan.skipped_by(ref.node_id, arm)
        run_steps.skip(self.session, ref.run_id, left_out, ref.generation)
        # After a clear the engine cannot know what Airflow will run again; the reconciler does.
        if ref.generation == 0 and not plan.pending({*settled, *left_out}):
            self._end_run(RunStatus.COMPLETED)
        return verdict

    def _record_failure(self, fail: Fail) -> Verdict:
        step = self.entered.step
        retry = step.retry
        if retry is not None and fail.retryable and retry.covers(fail.kind, self.row.attempt):
            delay = max(retry.delay_after(self.row.attempt), fail.retry_after or timedelta(0))
            self.row.attempt += 1
            self.row.retries += 1
            self.row.retry_at = common_clock.now() + delay
            self.row.verdict = {"error": fail.error}
            if fail.anew:
                self.row.status = StepStatus.RUNNING
            for column, value in self.more.items():
                setattr(self.row, column, value)
            return Retry(fail.error, delay)
        if step.on_error == "continue":
            return self._record_done(fail_output(fail), None)
        if isinstance(step.on_error, list):
            return self._record_done(fail_output(fail), "onError")
        error = f"{step.name}: {fail.error}"
        self._close(StepStatus.FAILED, fail_output(fail), {"error": error})
        self._end_run(RunStatus.FAILED, error)
        return GiveUp(error)

    def _end_run(self, status: RunStatus, error: str | None = None) -> None:
        # Steps that may wait never run before the host has the run.
        runs.end_run(self.session, self.run.id, status, error, has_waited=not self.alone)

    def _close(
        self, status: StepStatus, output: dict[str, JSON], verdict: dict[str, JSON]
    ) -> set[str]:
        settled = run_steps.end(self.session, self.row, status, output, verdict, self.more)
        if STEP_TYPES[self.entered.step.type].body:
            loop_cursors.clear(self.session, self.run.id, self.row.node_id)
        return settled

    def _wait(self, outcome: Awaited | WaitInLoop) -> Verdict:
        now = common_clock.now()
        key, awaited = self.entered.key, outcome
        if isinstance(awaited, WaitInLoop):
            key, awaited = awaited.key, awaited.wait
        pause = pause_of(awaited, now)
        run_steps.wait(self.session, self.row, dict(pause.kept) or None)
        wait = waits.open_wait(
            self.session,
            waits.NewWait(
                run_id=self.run.id,
                node_id=self.row.node_id,
                generation=self.row.generation,
                kind=pause.kind,
                due_at=pause.due_at,
                question=pause.question,
                approvers=pause.approvers,
                key=key,
            ),
        )
        return Sleep(wait.id, now) if self._has_come(wait) else verdict_of(wait)

    def _has_come(self, wait: Wait) -> bool:
        """Whether what the step waits for has already come; if so, the wait is settled."""
        data = None
        match wait.kind:
            case WaitKind.CALLBACK:
                callback = callbacks.by_key(self.session, wait.key or "")
                if callback is None or callback.called_at is None:
                    return False
                data = callback.data
            case WaitKind.CHILD:
                if not self._child_has_ended(wait):
                    return False
            case WaitKind.FORM:
                if not form_requests.is_complete(self.session, wait.key or ""):
                    return False
            case WaitKind.DELAY | WaitKind.DECISION | WaitKind.RETRY | WaitKind.SLOT:
                return False
            case _:
                assert_never(wait.kind)
        return waits.settle(self.session, wait, waits.Ending(Decision.RESUMED, data=data))

    def _child_has_ended(self, wait: Wait) -> bool:
        if (call_id := waits.awaited_call(wait)) is not None:
            return dag_calls.has_come(dag_calls.get(self.session, call_id))
        child = self.session.get_one(Run, waits.awaited_run(wait), populate_existing=True)
        return child.status not in UNFINISHED


def proceed(
    plan: Plan, node_id: str, output: Mapping[str, JSON], arm: str | None, *, stop: bool = False
) -> Proceed:
    """The verdict on a node that is done.

    Args:
        arm: the one of its nested step lists that it chose.
        stop: whether it ends the run.
    """
    target = None if stop else plan.target(node_id, arm)
    targets = None
    if stop or plan.nodes[node_id].branches:
        targets = (target,) if target is not None else ()
    return Proceed(_summary(output), targets)


def next_node(plan: Plan, node_id: str, done: Proceed) -> Node | None:
    """The node that a run goes on with after one that is done."""
    target = plan.nodes[node_id].follower
    if done.targets is not None:
        target = done.targets[0] if done.targets else None
    return None if target is None else plan.nodes[target]


def stored(verdict: Proceed) -> dict[str, JSON]:
    """A verdict as it is kept with its node: see ``recorded_verdict``."""
    return {"summary": verdict.summary, "targets": verdict.targets}


def recorded_verdict(row: RunStep) -> Verdict:
    """The verdict that is on record for a node that has ended."""
    recorded = row.verdict or {}
    if row.status == StepStatus.FAILED:
        return GiveUp(str(recorded.get("error", "failed")))
    if row.status == StepStatus.DONE:
        targets = recorded.get("targets")
        targets = None if targets is None else tuple(targets)
        return Proceed(recorded.get("summary", {}), targets, repeated=True)
    return Skip(f"The step is {row.status}.")


def remaining_delay(row: RunStep) -> Retry | None:
    """The rest of the delay before a node's next attempt; None if it may begin now."""
    left = row.retry_at - common_clock.now() if row.retry_at is not None else timedelta(0)
    if left <= timedelta(0):
        return None
    return Retry(str((row.verdict or {}).get("error", "failed")), left)


def output_of(outcome: Outcome) -> dict[str, JSON]:
    """The output of a successful outcome, or of one that waits, so far."""
    if isinstance(
        outcome, WaitInLoop | WaitUntil | WaitToRetry | WaitForDecision | WaitForRun | Fail
    ):
        return {}
    return dict(outcome.output)


def visible_output(outcome: Outcome) -> dict[str, JSON]:
    """What later steps see as the output of a step that the run went on from."""
    return fail_output(outcome) if isinstance(outcome, Fail) else output_of(outcome)


def fail_output(fail: Fail) -> dict[str, JSON]:
    """The output of a failure: what the step had so far, and the error."""
    return {**fail.output, "error": {"message": fail.error, "kind": fail.kind}}


def line_of(
    step: Any,
    outcome: Outcome,
    started_at: datetime,
    *,
    retrying: bool,
    iteration: list[int] | None = None,
) -> run_steps.LogLine:
    """What the run's log says of an attempt at a step."""
    status, output = AttemptStatus.SUCCESS, output_of(outcome)
    if isinstance(outcome, Fail):
        status, output = AttemptStatus.FAILED, fail_output(outcome)
    return run_steps.LogLine(
        step,
        AttemptStatus.RETRYING if retrying else status,
        started_at,
        common_clock.now(),
        json.dumps(output, ensure_ascii=False, default=str),
        iteration,
    )


def log_attempt(
    session: Session, entered: Entered, outcome: Outcome, *, retrying: bool = False
) -> None:
    """Add an attempt at a node to the run's log."""
    line = line_of(entered.step, outcome, entered.started_at, retrying=retrying)
    run_steps.log(session, entered.ref.run_id, [line])


def _summary(output: Any) -> dict[str, JSON]:
    small = {
        key: value for key, value in output.items() if isinstance(value, str | int | float | bool)
    }
    error = output.get("error")
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        # The run goes on by onError, so Airflow shows the step as green as any other.
        small["error"] = excerpt(error["message"], _ERROR_LENGTH)
    return small if len(json.dumps(small)) <= _SUMMARY_LENGTH else {"keys": sorted(output)}
