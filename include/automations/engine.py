"""Runs one step: load, render, run, record. The only orchestrator of a step's life.

A task's process may die at any line and its task may be started again, even while the first
process still lives: so a node is entered under a lock that dies with its holder, what was
recorded is answered again instead of being done again, and an effect without a record is
repeated under the same idempotency key.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from automations import forms
from automations.db import locks, runs, waits
from automations.db.session import Session, unit_of_work
from automations.db.tables import Run, RunStep, Wait, Workflow
from automations.definitions import Loaded, load
from automations.errors import AutomationsError, NotFound, StepError
from automations.names import names_of
from automations.outcomes import (
    JSON,
    Answer,
    Branch,
    Done,
    Fail,
    Outcome,
    Question,
    Stop,
    WaitForCallback,
    WaitForDecision,
    WaitForRun,
    WaitUntil,
)
from automations.ports import Ports
from automations.steps.base import RENDERED, StepContext, parse_duration
from automations.steps.registry import STEP_TYPES
from automations.templating import render, render_config
from automations.verdicts import (
    Again,
    AskPeople,
    GiveUp,
    Proceed,
    Skip,
    Sleep,
    TaskRef,
    Verdict,
)

log = logging.getLogger(__name__)

DECISION_OPTIONS = {"approved": "Approve", "rejected": "Reject"}
_NEVER = timedelta(days=365 * 10)
_SUMMARY_LENGTH = 500


@dataclass(frozen=True, slots=True)
class _Entered:
    """A node that may run: what its step needs, read in one transaction."""

    ref: TaskRef
    loaded: Loaded
    step: Any
    workspace_id: str
    attempt: int
    started_at: datetime
    names: dict[str, JSON]

    @property
    def where(self) -> str:
        return f"step '{self.step.name}'"


class Engine:
    """Runs the nodes of runs; safe to call again for the same task at any time."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def run(self, ref: TaskRef) -> Verdict:
        """Run a node, or answer again what it came to before."""
        with locks.exclusive(f"{ref.run_id}:{ref.node_id}"):
            with unit_of_work() as session:
                entered = self._enter(session, ref)
            if not isinstance(entered, _Entered):
                return entered
            step_type = STEP_TYPES[entered.step.type]
            outcome = self._attempt(entered, lambda config, ctx: step_type.run(config, ctx))
            return self._record(entered, outcome)

    def resume(self, ref: TaskRef, wait_id: str, answer: Answer | None) -> Verdict:
        """Go on after a wait.

        Args:
            answer: what the orchestrator's own UI was told; None to take it from our database.
        """
        with locks.exclusive(f"{ref.run_id}:{ref.node_id}"):
            with unit_of_work() as session:
                entered = self._wake(session, ref, wait_id, answer)
            if not isinstance(entered, tuple):
                return entered
            node, given = entered
            step_type = STEP_TYPES[node.step.type]
            outcome = self._attempt(node, lambda config, ctx: step_type.resume(config, ctx, given))
            return self._record(node, outcome)

    def _enter(self, session: Session, ref: TaskRef) -> _Entered | Verdict:
        run = _run_of(session, ref)
        loaded = load(session, ref.workflow_id, ref.version)
        if ref.generation > run.generation:
            runs.renew(session, run, ref.generation)
        run.version = ref.version
        if run.status not in runs.UNFINISHED:
            return Skip(f"The run has ended: {run.status}.")
        row = runs.step(session, ref.run_id, ref.node_id)
        if row is not None and row.generation == ref.generation:
            if row.status in ("DONE", "FAILED"):
                return _recorded(row)
            if row.status == "WAITING":
                wait = waits.wait_of_node(session, ref.run_id, ref.node_id, ref.generation)
                if wait is not None and wait.status == "OPEN":
                    return _parked(wait)
                if wait is not None and wait.status == "ANSWERED":
                    return Sleep(wait.id, datetime.now(UTC))
        return self._begin(session, ref, run, loaded, row)

    def _begin(
        self, session: Session, ref: TaskRef, run: Run, loaded: Loaded, row: RunStep | None
    ) -> _Entered:
        now = datetime.now(UTC)
        if row is None:
            row = RunStep(run_id=ref.run_id, node_id=ref.node_id, retries=0)
            session.add(row)
            row.generation, row.attempt = ref.generation, 1
        elif row.generation != ref.generation:
            row.generation, row.attempt = ref.generation, 1
        # Committed before anything is done outside: the record that an effect may follow.
        row.status, row.started_at, row.ended_at = "RUNNING", now, None
        row.output = row.verdict = None
        waits.go_on(session, ref.run_id)
        return self._entered(session, ref, run, loaded, row.attempt, now)

    @staticmethod
    def _entered(
        session: Session,
        ref: TaskRef,
        run: Run,
        loaded: Loaded,
        attempt: int,
        started_at: datetime,
    ) -> _Entered:
        return _Entered(
            ref=ref,
            loaded=loaded,
            step=loaded.plan.nodes[ref.node_id].step,
            workspace_id=run.workspace_id,
            attempt=attempt,
            started_at=started_at,
            names=names_of(run, loaded, runs.outputs(session, ref.run_id), datetime.now(UTC)),
        )

    def _wake(
        self, session: Session, ref: TaskRef, wait_id: str, answer: Answer | None
    ) -> tuple[_Entered, Answer] | Verdict:
        run = _run_of(session, ref)
        loaded = load(session, ref.workflow_id, ref.version)
        wait = waits.lock_wait(session, wait_id)
        row = runs.step(session, ref.run_id, ref.node_id)
        if wait is None or row is None or wait.status == "CANCELLED":
            return Skip("What this step waited for was cancelled.")
        if wait.status == "OPEN":
            ended = answer or _by_itself(wait)
            if ended is None or _refuses(wait, ended):
                return _parked(wait)
            waits.settle(session, wait, decision=ended.decision, by=ended.by, data=ended.data)
        if row.status != "WAITING" or row.generation != wait.generation:
            return _recorded(row)
        session.refresh(run)
        if run.status not in runs.UNFINISHED:
            return Skip(f"The run has ended: {run.status}.")
        entered = self._entered(session, ref, run, loaded, row.attempt, row.started_at)
        given = Answer(wait.decision or "resumed", wait.decided_by, _at(wait), wait.data)
        return entered, given

    def _attempt(self, entered: _Entered, act: Any) -> Outcome:
        """Render the config and do the work; whatever goes wrong becomes a value."""
        step, ref = entered.step, entered.ref
        try:
            rendered = render_config(step.config, entered.names, where=entered.where)
            self._keep_input(ref, rendered)
            config = type(step.config).model_validate(rendered, context=RENDERED)
            outcome: Outcome = act(config, self._context(entered))
            return outcome
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            path = ".".join(str(part) for part in first["loc"])
            return Fail(f"{entered.where}, config.{path}: {first['msg']}", kind="config")
        except StepError as error:
            return Fail(error.message, error.kind, error.retryable, error.retry_after)
        except AutomationsError as error:
            return Fail(error.message)
        except Exception as error:  # a bug in a step must fail that step, with its name, only
            log.exception("Step %s of run %s raised", ref.node_id, ref.run_id)
            return Fail(f"{entered.where}: {type(error).__name__}: {error}", kind="internal")

    @staticmethod
    def _keep_input(ref: TaskRef, rendered: dict[str, JSON]) -> None:
        with unit_of_work() as session:
            row = runs.step(session, ref.run_id, ref.node_id)
            if row is not None:
                row.input = rendered

    def _context(self, entered: _Entered) -> StepContext:
        ref, step = entered.ref, entered.step

        def render_text(text: str, *, missing_ok: bool = False, where: str = "config") -> JSON:
            return render(
                text, entered.names, where=f"{entered.where}, {where}", missing_ok=missing_ok
            )

        return StepContext(
            run_id=ref.run_id,
            workflow_id=ref.workflow_id,
            workspace_id=entered.workspace_id,
            node_id=ref.node_id,
            step_name=step.name,
            idempotency_key=f"{ref.run_id}:{ref.node_id}:{ref.generation}",
            attempt=entered.attempt,
            now=datetime.now(UTC),
            timeout=_timeout(step),
            ports=self._ports,
            render=render_text,
        )

    def _record(self, entered: _Entered, outcome: Outcome) -> Verdict:
        """Save what came out, in one transaction with everything that follows from it."""
        ref = entered.ref
        with unit_of_work() as session:
            run = runs.lock_run(session, ref.run_id)
            row = runs.step(session, ref.run_id, ref.node_id)
            if run is None or row is None or row.generation != ref.generation:
                return Skip("The step was cleared meanwhile.")
            if run.status not in runs.UNFINISHED:
                # An effect that was made is kept on record even when the run was ended meanwhile.
                self._log(session, entered, outcome)
                return Skip(f"The run has ended: {run.status}.")
            recorder = _Recorder(session, entered, run, row)
            verdict = recorder.record(outcome)
            if not isinstance(verdict, AskPeople | Sleep):
                self._log(session, entered, outcome, retrying=isinstance(verdict, Again))
            return verdict

    @staticmethod
    def _log(
        session: Session, entered: _Entered, outcome: Outcome, *, retrying: bool = False
    ) -> None:
        failed = isinstance(outcome, Fail)
        output = _fail_output(outcome) if isinstance(outcome, Fail) else _output(outcome)
        runs.log(
            session,
            entered.ref.run_id,
            step_id=entered.step.id,
            step_type=entered.step.type,
            step_name=entered.step.name,
            status="retrying" if retrying else "failed" if failed else "success",
            started_at=entered.started_at,
            ended_at=datetime.now(UTC),
            output=json.dumps(output, ensure_ascii=False, default=str),
        )


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Turns an outcome into rows and a verdict, inside one transaction."""

    session: Session
    entered: _Entered
    run: Run
    row: RunStep

    def record(self, outcome: Outcome) -> Verdict:
        match outcome:
            case Done(output, variables):
                if variables:
                    self.run.variables = {**self.run.variables, **variables}
                return self._done(output, None)
            case Branch(output, arm):
                return self._done(output, arm)
            case Stop(output):
                return self._done(output, None, stop=True)
            case Fail():
                return self._failed(outcome)
            case _:
                return self._wait(outcome)

    def _done(self, output: Any, arm: str | None, *, stop: bool = False) -> Verdict:
        ref, plan = self.entered.ref, self.entered.loaded.plan
        node = plan.nodes[ref.node_id]
        target = None if stop else plan.target(ref.node_id, arm)
        targets = None
        if stop or node.branches:
            targets = (target,) if target is not None else ()
        verdict = Proceed(_summary(output), targets)
        self._close("DONE", dict(output), {"summary": verdict.summary, "targets": targets})
        self.session.flush()
        left_out = (
            plan.pending(runs.settled(self.session, ref.run_id))
            if stop
            else plan.beside(ref.node_id, arm)
        )
        runs.skip(self.session, ref.run_id, left_out, ref.generation)
        # After a clear the engine cannot know what Airflow will run again; the reconciler does.
        if ref.generation == 0 and not plan.pending(runs.settled(self.session, ref.run_id)):
            runs.end_run(self.session, ref.run_id, "COMPLETED")
        return verdict

    def _failed(self, fail: Fail) -> Verdict:
        step = self.entered.step
        retry = step.retry
        if (
            retry is not None
            and fail.retryable
            and self.row.attempt < retry.max_attempts
            and (not retry.on or fail.kind in retry.on)
        ):
            delay = max(retry.delay_after(self.row.attempt), fail.retry_after or timedelta(0))
            self.row.attempt += 1
            self.row.retries += 1
            return Again(fail.error, delay)
        if step.on_error == "continue":
            return self._done(_fail_output(fail), None)
        if isinstance(step.on_error, list):
            return self._done(_fail_output(fail), "onError")
        error = f"{step.name}: {fail.error}"
        self._close("FAILED", _fail_output(fail), {"error": error})
        runs.end_run(self.session, self.run.id, "FAILED", error)
        return GiveUp(error)

    def _close(self, status: str, output: dict[str, JSON], verdict: dict[str, JSON]) -> None:
        self.row.status, self.row.output, self.row.verdict = status, output, verdict
        self.row.ended_at = datetime.now(UTC)

    def _wait(self, outcome: Outcome) -> Verdict:
        now = datetime.now(UTC)
        kind, due_at, question = "delay", now + _NEVER, None
        match outcome:
            case WaitUntil(when):
                due_at = when
            case WaitForDecision(asked, expires_in):
                kind, due_at, question = "decision", now + expires_in, asked
            case WaitForCallback(_, expires_in):
                kind, due_at = "callback", now + expires_in
            case WaitForRun():
                kind = "child"
        self.row.status = "WAITING"
        wait = waits.open_wait(
            self.session,
            run_id=self.run.id,
            node_id=self.row.node_id,
            generation=self.row.generation,
            kind=kind,
            due_at=due_at,
            question=asdict(question) if question else None,
            approvers=question.approvers if question else (),
        )
        return _parked(wait)


def _run_of(session: Session, ref: TaskRef) -> Run:
    run = runs.lock_run(session, ref.run_id)
    if run is not None:
        return run
    # Airflow made the DagRun itself: by its schedule, or for a person in its UI.
    workflow = session.get(Workflow, ref.workflow_id)
    if workflow is None:
        raise NotFound(f"There is no automation {ref.workflow_id}.")
    runs.insert_run(
        session,
        workflow,
        trigger_type=ref.run_type,
        trigger_data={},
        input=dict(ref.conf),
        started_by=ref.started_by,
        run_id=ref.run_id,
        version=ref.version,
        dispatched=True,
    )
    run = runs.lock_run(session, ref.run_id)
    if run is None:
        raise NotFound(f"There is no run {ref.run_id}.")
    return run


def _timeout(step: Any) -> timedelta:
    return parse_duration(step.timeout) if step.timeout else STEP_TYPES[step.type].timeout


def _recorded(row: RunStep) -> Verdict:
    stored = row.verdict or {}
    if row.status == "FAILED":
        return GiveUp(str(stored.get("error", "failed")))
    if row.status == "DONE":
        targets = stored.get("targets")
        return Proceed(stored.get("summary", {}), None if targets is None else tuple(targets))
    return Skip(f"The step is {row.status}.")


def _parked(wait: Wait) -> Verdict:
    if wait.kind == "decision" and wait.question is not None:
        question = Question(**{**wait.question, "approvers": tuple(wait.question["approvers"])})
        return AskPeople(wait.id, question, tuple(DECISION_OPTIONS.values()), wait.due_at)
    if wait.kind == "callback":
        return AskPeople(wait.id, Question("Callback", ""), ("Continue",), wait.due_at)
    return Sleep(wait.id, wait.due_at)


def _by_itself(wait: Wait) -> Answer | None:
    now = datetime.now(UTC)
    if now < wait.due_at:
        return None
    return Answer("elapsed" if wait.kind == "delay" else "expired", None, now)


def _refuses(wait: Wait, answer: Answer) -> bool:
    form = (wait.question or {}).get("form")
    return bool(form and answer.decision == "approved" and forms.check(form, answer.data or {}))


def _at(wait: Wait) -> datetime:
    return wait.decided_at or datetime.now(UTC)


def _output(outcome: Outcome) -> dict[str, JSON]:
    return dict(outcome.output) if isinstance(outcome, Done | Branch | Stop) else {}


def _fail_output(fail: Fail) -> dict[str, JSON]:
    return {**fail.output, "error": {"message": fail.error, "kind": fail.kind}}


def _summary(output: Any) -> dict[str, JSON]:
    small = {
        key: value for key, value in output.items() if isinstance(value, str | int | float | bool)
    }
    return small if len(json.dumps(small)) <= _SUMMARY_LENGTH else {"keys": sorted(output)}
