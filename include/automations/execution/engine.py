"""Runs one step: load, render, run, record. The only orchestrator of a step's life.

A task's process may die at any line and its task may be started again, even while the first
process still lives: so a node is entered under a lock that dies with its holder, what was
recorded is answered again instead of being done again, and an effect without a record is
repeated under the same idempotency key.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Set
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from automations.db import callbacks, locks, run_steps, runs, waits
from automations.db.session import Session, unit_of_work
from automations.db.tables import Run, RunStep, Wait
from automations.domain.forms import schema
from automations.errors import NotFound
from automations.execution.attempts import Attempt, Attempts
from automations.execution.loops import Loops
from automations.execution.recording import (
    Entered,
    Recorder,
    line_of,
    parked,
    recorded,
    wait_for_slot,
)
from automations.execution.verdicts import (
    Again,
    AskPeople,
    Skip,
    Sleep,
    TaskRef,
    Verdict,
)
from automations.kit import logs
from automations.kit.values import JSON
from automations.ports import Ports, SecretSource
from automations.services.audit import audit
from automations.services.integrations import secrets
from automations.services.runs import admission
from automations.services.runs.from_airflow import AirflowRun, record_run
from automations.services.runs.template_names import names_of
from automations.services.waits.self_approval import forbids_self_approval
from automations.services.workflows.loaded import Loaded, load
from automations.steps.outcomes import Answer, Fail, Outcome
from automations.steps.registry import STEP_TYPES

log = logging.getLogger(__name__)

_BY_TIME = ("delay", "retry")
"""Kinds of pause that end by themselves, and expect nothing else."""


class Engine:
    """Runs the nodes of runs; safe to call again for the same task at any time.

    Args:
        elsewhere: secrets that the host keeps.
    """

    def __init__(self, ports: Ports, elsewhere: SecretSource | None = None) -> None:
        self._ports = ports
        self._elsewhere = elsewhere

    def run(self, ref: TaskRef) -> Verdict:
        """Run a node, or answer again what it came to before."""
        with _about(ref), locks.exclusive(f"{ref.run_id}:{ref.node_id}"):
            with unit_of_work() as session:
                entered = self._enter(session, ref)
            if not isinstance(entered, Entered):
                return entered
            return self._carry_out(entered)

    def resume(self, ref: TaskRef, wait_id: str, answer: Answer | None) -> Verdict:
        """Go on after a wait.

        Args:
            answer: what the orchestrator's own UI was told; None to take it from our database.
        """
        with _about(ref), locks.exclusive(f"{ref.run_id}:{ref.node_id}"):
            with unit_of_work() as session:
                entered = self._wake(session, ref, wait_id, answer)
            if not isinstance(entered, Entered):
                return entered
            return self._carry_out(entered)

    def attempt(self, entered: Entered) -> Outcome:
        """Do a node's work once; of what it comes to, nothing is recorded here."""
        attempts = self._attempts(entered)
        return attempts.make(self._attempt_at(entered, attempts))

    def preview(self, entered: Entered) -> dict[str, JSON] | Fail:
        """A node's config as it would be rendered and recorded, or how that fails."""
        attempts = self._attempts(entered)
        return attempts.preview(self._attempt_at(entered, attempts))

    def _enter(self, session: Session, ref: TaskRef) -> Entered | Verdict:
        run = _run_of(session, ref)
        loaded = load(session, ref.workflow_id, ref.version)
        if ref.generation > run.generation:
            runs.renew(session, run, ref.generation)
        run.version = ref.version
        row = run_steps.step(session, ref.run_id, ref.node_id)
        known = row if row is not None and row.generation == ref.generation else None
        if known is not None and known.status in ("DONE", "FAILED"):
            # Also when the run has ended, perhaps by this very step.
            return recorded(known)
        if run.slot == "WAITING" and run.status in runs.UNFINISHED:
            session.flush()
            admission.admit(session, run)
            session.refresh(run)
        if run.status not in runs.UNFINISHED:
            return Skip(f"The run has ended: {run.status}.")
        if known is not None and known.status == "WAITING":
            wait = waits.wait_of_node(session, ref.run_id, ref.node_id, ref.generation)
            if wait is not None and wait.status == "OPEN":
                return parked(wait)
            if wait is not None and wait.status == "ANSWERED":
                return Sleep(wait.id, datetime.now(UTC))
        if run.slot == "WAITING":
            row = self._row(session, ref, row, "WAITING")
            return parked(wait_for_slot(session, row))
        return self._begin(session, ref, run, loaded, row)

    def _begin(
        self, session: Session, ref: TaskRef, run: Run, loaded: Loaded, row: RunStep | None
    ) -> Entered:
        # Committed before anything is done outside: the record that an effect may follow.
        row = self._row(session, ref, row, "RUNNING")
        if run.status != "RUNNING":
            waits.go_on(session, ref.run_id)
        return self._entered(session, ref, run, loaded, row)

    @staticmethod
    def _row(session: Session, ref: TaskRef, row: RunStep | None, status: str) -> RunStep:
        """The node's row, as that of a node that is about to be done in this generation."""
        if row is None:
            row = RunStep(run_id=ref.run_id, node_id=ref.node_id, retries=0)
            session.add(row)
            row.generation, row.attempt = ref.generation, 1
        elif row.generation != ref.generation:
            row.generation, row.attempt = ref.generation, 1
        row.status, row.started_at, row.ended_at = status, datetime.now(UTC), None
        row.output = row.verdict = None
        return row

    @staticmethod
    def _entered(
        session: Session,
        ref: TaskRef,
        run: Run,
        loaded: Loaded,
        row: RunStep,
    ) -> Entered:
        entered = Entered(
            ref=ref,
            loaded=loaded,
            step=loaded.plan.nodes[ref.node_id].step,
            workspace_id=run.workspace_id,
            traceparent=run.traceparent,
            attempt=row.attempt,
            started_at=row.started_at,
            names=names_of(run, loaded, run_steps.outputs(session, ref.run_id), datetime.now(UTC)),
            kept=row.output or {},
        )
        if STEP_TYPES[entered.step.type].calls_back(entered.step.config):
            url = callbacks.hand_out(session, run.id, entered.key)
            entered.names["callback"] = {"url": url}
        return entered

    def _wake(
        self, session: Session, ref: TaskRef, wait_id: str, answer: Answer | None
    ) -> Entered | Verdict:
        run = _run_of(session, ref)
        loaded = load(session, ref.workflow_id, ref.version)
        wait = waits.lock_wait(session, wait_id)
        row = run_steps.step(session, ref.run_id, ref.node_id)
        if wait is None or row is None or wait.status == "CANCELLED":
            return Skip("What this step waited for was cancelled.")
        if wait.status == "OPEN":
            ended = _by_itself(wait) if _is_time(answer, wait) else answer
            if ended is None or _refuses(run, wait, ended):
                return parked(wait)
            waits.settle(session, wait, decision=ended.decision, by=ended.by, data=ended.data)
            if answer is not None:
                audit.record(
                    session,
                    "run.resume",
                    run,
                    by=audit.Actor("airflow", (answer.by or "").removeprefix("airflow:")),
                    stepId=wait.node_id,
                    decision=answer.decision,
                )
        if row.status != "WAITING" or row.generation != wait.generation:
            return recorded(row)
        newest = waits.wait_of_node(session, ref.run_id, ref.node_id, wait.generation)
        if newest is not None and newest.id != wait.id:
            return parked(newest)
        session.refresh(run)
        if run.status not in runs.UNFINISHED:
            return Skip(f"The run has ended: {run.status}.")
        if wait.kind == waits.SLOT:
            return self._begin(session, ref, run, loaded, row)
        entered = self._entered(session, ref, run, loaded, row)
        ended = Answer(wait.decision or "resumed", wait.decided_by, _at(wait), wait.data)
        return replace(entered, answer=ended)

    def _carry_out(self, entered: Entered) -> Verdict:
        return self._record(entered, self.attempt(entered))

    def _attempts(self, entered: Entered) -> Attempts:
        def read(names: Set[str]) -> Mapping[str, str]:
            return secrets.read(entered.workspace_id, names, self._elsewhere)

        return Attempts(entered, self._ports, read)

    def _attempt_at(self, entered: Entered, attempts: Attempts) -> Attempt:
        def iterate(config: Any, items: list[JSON]) -> Outcome:
            return Loops(attempts).outermost(config, items)

        def keep(config: dict[str, JSON]) -> None:
            with unit_of_work() as session:
                run_steps.keep_input(session, entered.ref.run_id, entered.ref.node_id, config)

        return Attempt(
            step=entered.step,
            where=entered.where,
            names=entered.names,
            key=entered.key,
            number=entered.attempt,
            iterate=iterate,
            answer=entered.answer,
            kept=entered.kept,
            traceparent=entered.traceparent,
            keep_config=keep,
        )

    def _record(self, entered: Entered, outcome: Outcome) -> Verdict:
        """Save what came out, in one transaction with everything that follows from it."""
        ref = entered.ref
        log.info("A step of type %s came to %s", entered.step.type, type(outcome).__name__)
        with unit_of_work() as session:
            run = runs.lock_run(session, ref.run_id)
            row = run_steps.step(session, ref.run_id, ref.node_id)
            if run is None or row is None or row.generation != ref.generation:
                return Skip("The step was cleared meanwhile.")
            if run.status not in runs.UNFINISHED:
                # An effect that was made is kept on record even when the run was ended meanwhile.
                self._log(session, entered, outcome)
                return Skip(f"The run has ended: {run.status}.")
            recorder = Recorder(session, entered, run, row)
            verdict = recorder.record(outcome)
            if not isinstance(verdict, AskPeople | Sleep):
                self._log(session, entered, outcome, retrying=isinstance(verdict, Again))
            return verdict

    @staticmethod
    def _log(
        session: Session, entered: Entered, outcome: Outcome, *, retrying: bool = False
    ) -> None:
        line = line_of(entered.step, outcome, entered.started_at, retrying=retrying)
        run_steps.log(session, entered.ref.run_id, [line])


def _about(ref: TaskRef) -> AbstractContextManager[None]:
    return logs.bound(workflowId=ref.workflow_id, runId=ref.run_id, stepId=ref.node_id)


def _run_of(session: Session, ref: TaskRef) -> Run:
    run = runs.lock_run(session, ref.run_id)
    if run is not None:
        return run
    made = AirflowRun(
        workflow_id=ref.workflow_id,
        run_id=ref.run_id,
        run_type=ref.run_type,
        conf=ref.conf,
        started_by=ref.started_by,
        version=ref.version,
        due_at=ref.due_at,
    )
    record_run(session, made)
    run = runs.lock_run(session, ref.run_id)
    if run is None:
        raise NotFound(f"There is no run {ref.run_id}.")
    return run


def _by_itself(wait: Wait) -> Answer | None:
    now = datetime.now(UTC)
    if now < wait.due_at:
        return None
    return Answer("elapsed" if wait.kind in _BY_TIME else "expired", None, now)


def _is_time(answer: Answer | None, wait: Wait) -> bool:
    """Whether nothing more is known than that the time may have come."""
    return answer is None or (answer.decision == "elapsed" and wait.kind != "delay")


def _refuses(run: Run, wait: Wait, answer: Answer) -> bool:
    if forbids_self_approval(run, wait, (answer.by or "").removeprefix("airflow:")):
        return True
    form = (wait.question or {}).get("form")
    return bool(form and answer.decision == "approved" and schema.check(form, answer.data or {}))


def _at(wait: Wait) -> datetime:
    return wait.decided_at or datetime.now(UTC)
