"""Runs one step: load, render, run, record. Nothing else orchestrates a step's life.

A task's process may die at any line, and its task may be started again even while the first
process still lives. So a node is entered under a lock that dies with its holder; a node with a
recorded result returns that result instead of running again; and an effect without a record is
repeated under the same idempotency key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from contextlib import AbstractContextManager
from functools import cache, partial
from types import MappingProxyType
from typing import Any

from automations.db import locks
from automations.db.runs import run_steps, runs
from automations.db.runs.runs import Standing
from automations.db.session import Session, unit_of_work
from automations.domain.statuses import UNFINISHED
from automations.execution import entry
from automations.execution.attempt import Attempt, KeepConfig
from automations.execution.attempts import Attempts
from automations.execution.entered import Entered
from automations.execution.journal import Journal, earlier_line, verdict_line
from automations.execution.loops import Loops
from automations.execution.recording import Recorder, log_attempt, recorded_verdict
from automations.execution.verdicts import (
    AskPeople,
    GiveUp,
    Retry,
    Skip,
    Sleep,
    TaskRef,
    Verdict,
)
from automations.kit import logs
from automations.kit.values import JSON
from automations.ports import HostConnection, Ports, SecretSource
from automations.services.integrations import connections, secrets
from automations.steps.outcomes import Answer, Fail, Outcome
from automations.steps.registry import STEP_TYPES


class Engine:
    """Runs the nodes of runs; safe to call again for the same task at any time.

    Args:
        elsewhere: the host's own secrets and connections.
    """

    def __init__(self, ports: Ports, elsewhere: SecretSource | None = None) -> None:
        self._ports = ports
        self._elsewhere = elsewhere

    def run(self, ref: TaskRef, journal: Journal | None = None, *, brief: bool = False) -> Verdict:
        """Run a node, or return the verdict that was recorded for it before.

        Args:
            journal: the log of the task.
            brief: whether it ends so soon that recording its config at the end is enough.
        """
        return self._run_node(ref, journal, lambda session: entry.enter(session, ref), brief=brief)

    def resume(
        self, ref: TaskRef, wait_id: str, answer: Answer | None, journal: Journal | None = None
    ) -> Verdict:
        """Go on after a wait.

        Args:
            answer: what was answered in the orchestrator's own UI; None to read our database.
            journal: the log of the task.
        """
        return self._run_node(
            ref, journal, lambda session: entry.wake(session, ref, wait_id, answer)
        )

    def attempt(
        self, entered: Entered, journal: Journal | None = None, keep: KeepConfig | None = None
    ) -> Outcome:
        """Do a node's work once, without recording the outcome.

        Args:
            keep: receives the step's config in its recordable form; without it, the config is
                recorded at once.
        """
        attempts = self._attempts(entered, journal or Journal())
        return attempts.make(self._attempt_at(entered, attempts, keep))

    def preview(self, entered: Entered) -> dict[str, JSON] | Fail:
        """A node's config in its recordable form, or the failure to render it."""
        attempts = self._attempts(entered, Journal())
        return attempts.preview(self._attempt_at(entered, attempts))

    def _run_node(
        self,
        ref: TaskRef,
        journal: Journal | None,
        by: Callable[[Session], Entered | Verdict],
        *,
        brief: bool = False,
    ) -> Verdict:
        journal, config = journal or Journal(), dict[str, JSON]()
        # A second process of the same task waits here, then finds what the first one recorded.
        with log_context(ref), locks.exclusive(lock_name(ref)):
            with unit_of_work() as session:
                entered = by(session)
                if isinstance(entered, GiveUp | Retry):
                    # By another process, of which the orchestrator was told nothing.
                    row = run_steps.step(session, ref.run_id, ref.node_id)
                    journal.recall((row and row.input) or {})
            if not isinstance(entered, Entered):
                journal.say(earlier_line(entered))
                return entered
            outcome = self.attempt(entered, journal, config.update if brief else None)
            verdict = self.record(entered, outcome, {"input": config} if config else {})
            if (line := verdict_line(entered.step, outcome, verdict)) is not None:
                journal.say(line)
            return verdict

    def _attempts(self, entered: Entered, journal: Journal) -> Attempts:
        def read(names: Set[str]) -> Mapping[str, str]:
            return secrets.read(entered.workspace_id, names, self._elsewhere)

        def connect(conn_id: str) -> HostConnection:
            return connections.read(entered.workspace_id, conn_id, self._elsewhere)

        return Attempts(entered, self._ports, read, cache(connect), journal)

    def _attempt_at(
        self, entered: Entered, attempts: Attempts, keep_config: KeepConfig | None = None
    ) -> Attempt:
        # Created on demand, since that reads their progress from the database.
        loops = cache(partial(Loops, attempts))

        def iterate(config: Any, items: list[JSON]) -> Outcome:
            return loops().run_outermost(config, items)

        def first_items() -> Mapping[str, JSON]:
            repeats = STEP_TYPES[entered.step.type].repeats_for is not None
            return loops().first_items() if repeats else {}

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
            already_rendered=first_items,
            answer=entered.answer,
            kept=entered.kept,
            traceparent=entered.traceparent,
            keep_config=keep_config or keep,
        )

    def record(
        self,
        entered: Entered,
        outcome: Outcome,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> Verdict:
        """Save an outcome, in one transaction with everything that follows from it.

        Args:
            more: other columns of the node's row to set.
        """
        ref = entered.ref
        with unit_of_work() as session:
            standing = runs.lock_at(session, ref.run_id, ref.node_id)
            return record_in(session, standing, entered, outcome, more)


def record_in(
    session: Session,
    standing: Standing | None,
    entered: Entered,
    outcome: Outcome,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Verdict:
    """Save an outcome in the caller's transaction.

    Args:
        standing: the run and the node with their rows locked; None when they are gone.
        more: other columns of the node's row to set.
    """
    if standing is None or standing.row.generation != entered.ref.generation:
        return Skip("The step was cleared meanwhile.")
    run, row = standing
    if row.status in run_steps.ENDED:
        # We lost our lock with our connection, and another process recorded first: that counts.
        return recorded_verdict(row)
    if run.status not in UNFINISHED:
        # The effect has happened, so it stays on record although the run has ended meanwhile.
        log_attempt(session, entered, outcome)
        return Skip(f"The run has ended: {run.status}.")
    recorder = Recorder(session, entered, run, row, more=more)
    verdict = recorder.record(outcome)
    if not isinstance(verdict, AskPeople | Sleep):
        log_attempt(session, entered, outcome, retrying=isinstance(verdict, Retry))
    return verdict


def lock_name(ref: TaskRef) -> str:
    """The name of the lock that gives one process exclusive use of a node."""
    return f"{ref.run_id}:{ref.node_id}"


def log_context(ref: TaskRef) -> AbstractContextManager[None]:
    """Tag every line that is logged in the block with the step's ids."""
    return logs.bound(workflowId=ref.workflow_id, runId=ref.run_id, stepId=ref.node_id)
