"""Runs the first steps of a run in a warm process, before the orchestrator has the run.

The steps run and are recorded as tasks would do it, under the same keys, each in the transaction
that begins the next one, or several together (see ``batch``). The transaction of the last one also
decides what follows: the run has ended and is to be shown, or the orchestrator goes on with it. So
there is always exactly one job for the run: either to run it here, or to bring it to the
orchestrator.

That job serves as the lock: while it is held, nobody else runs a step of the run. A process that
loses it in the middle of a step records the step's outcome, if nobody else has, and stops.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from automations.db.queue import jobs
from automations.db.runs import run_steps, runs
from automations.db.runs.runs import ClaimedRun
from automations.db.session import Session, unit_of_work
from automations.db.tables import Job, RunStep
from automations.definitions.plan import Node
from automations.domain.statuses import UNFINISHED, RunStatus, SlotStatus
from automations.execution import entry, host_secrets
from automations.execution.batch import Batch, add_row, may_be_batched
from automations.execution.captured_logs import CapturedLog
from automations.execution.engine import Engine, log_context
from automations.execution.entered import Entered
from automations.execution.journal import Journal
from automations.execution.recording import Recorder, log_attempt, next_node, visible_output
from automations.execution.run_ahead import may_run_ahead
from automations.execution.verdicts import Proceed, Retry
from automations.kit.values import JSON
from automations.services.runs import admission
from automations.services.workflows.definitions import load
from automations.steps.outcomes import Branch, Done, Outcome, Stop


@dataclass(frozen=True, slots=True)
class _StartedNode:
    """A node that has begun, and its row; None while it belongs to a batch."""

    entered: Entered
    row: RunStep | None


class ExpressLeg:
    """The steps of one run that one process runs.

    Args:
        job: as it was claimed.
        budget: the time after which no further step begins.
        may_go_on: whether this process still holds its jobs, as far as it knows.
    """

    def __init__(
        self, engine: Engine, job: Job, budget: timedelta, may_go_on: Callable[[], bool]
    ) -> None:
        self._engine = engine
        self._job = job
        self._until = time.monotonic() + budget.total_seconds()
        self._may_go_on = may_go_on
        self._batch: Batch | None = None

    def run(self) -> None:
        """Run as many steps as may run here, then leave the run to the orchestrator.

        Raises:
            DatabaseUnavailable: the caller must put the job back; the orchestrator goes on then.
        """
        with unit_of_work() as session:
            begun = self._first(session)
        while begun is not None:
            with log_context(begun.entered.ref):
                begun = self._do(begun)

    def hand_over(self) -> None:
        """Leave the run as it is to the orchestrator."""
        with unit_of_work() as session:
            claimed = runs.lock_claimed(session, self._job)
            if claimed is None:
                jobs.complete(session, self._job)
            else:
                self._leave(session, claimed)

    def _first(self, session: Session) -> _StartedNode | None:
        claimed = runs.lock_claimed(session, self._job)
        if claimed is None:
            jobs.complete(session, self._job)
            return None
        run = claimed.run
        # Another process had the job and is gone. The step that it was in may have killed it, and
        # only the orchestrator counts such deaths.
        died = self._job.claims > 1 and run_steps.has_begun(session, run.id)
        stands_still = run.reviving or run.slot == SlotStatus.WAITING
        if not died and not stands_still:
            plan = load(session, run.workflow_id, run.version).plan
            node = None if plan.first is None else plan.nodes[plan.first]
            if (begun := self._next(session, claimed, node, {})) is not None:
                return begun
        self._leave(session, claimed)
        return None

    def _do(self, begun: _StartedNode) -> _StartedNode | None:
        entered, batch = begun.entered, self._batch
        config: dict[str, JSON] = {}
        with CapturedLog() as log:
            outcome = self._engine.attempt(entered, Journal(log.say), config.update)
        if batch is not None and isinstance(outcome, Done | Branch | Stop):
            node = batch.add(entered, outcome, config, log.lines)
            if (
                node is not None
                and batch.takes(node)
                and self._may_begin(entered.workspace_id, node)
            ):
                return _StartedNode(batch.begin(node.id), None)
            record = partial(self._record_batch, batch, node)
        else:
            recorded = {"input": config, "log_lines": log.lines}
            record = partial(self._record, begun, outcome, recorded, batch)
        with unit_of_work() as session:
            claimed = runs.lock_claimed(session, self._job)
            if claimed is not None and claimed.mine:
                if (following := record(session, claimed)) is None:
                    self._leave(session, claimed)
                return following
        if claimed is not None and begun.row is not None:
            self._engine.record(entered, outcome)
        return None

    def _record(
        self,
        begun: _StartedNode,
        outcome: Outcome,
        recorded: Mapping[str, Any],
        batch: Batch | None,
        session: Session,
        claimed: ClaimedRun,
    ) -> _StartedNode | None:
        """Save a node's outcome, and begin the next node if it may be begun here."""
        entered, run = begun.entered, claimed.run
        if batch is not None and not batch.record(session, run, has_ended=False, alone=True):
            return None
        if run.status not in UNFINISHED:
            log_attempt(session, entered, outcome)
            return None
        row = begun.row
        if row is None:
            row = add_row(session, entered)
        else:
            session.add(row)
        recorder = Recorder(session, entered, run, row, alone=True, more=recorded)
        verdict = recorder.record(outcome)
        log_attempt(session, entered, outcome, retrying=isinstance(verdict, Retry))
        if not isinstance(verdict, Proceed):
            return None
        outputs = {**entered.outputs, entered.ref.node_id: visible_output(outcome)}
        node = next_node(entered.loaded.plan, entered.ref.node_id, verdict)
        return self._next(session, claimed, node, outputs)

    def _record_batch(
        self, batch: Batch, node: Node | None, session: Session, claimed: ClaimedRun
    ) -> _StartedNode | None:
        """Save the steps so far, and begin the next node if it may be begun here."""
        if not batch.record(session, claimed.run, has_ended=node is None, alone=True):
            return None
        return self._next(session, claimed, node, batch.outputs)

    def _next(
        self, session: Session, claimed: ClaimedRun, node: Node | None, outputs: Mapping[str, JSON]
    ) -> _StartedNode | None:
        """Begin a node; None if there is none, or if the orchestrator must run it."""
        self._batch = None
        run = claimed.run
        if not claimed.mine or claimed.held_up:
            return None
        if run.status != RunStatus.RUNNING or run.dispatched_at is not None:
            return None
        if node is None or not self._may_begin(run.workspace_id, node):
            return None
        loaded = load(session, run.workflow_id, run.version)
        # Whoever comes after another process records each step as begun: it may be its death.
        if self._job.claims == 1 and may_be_batched(node):
            self._batch = Batch(run, loaded, outputs)
            return _StartedNode(self._batch.begin(node.id), None)
        entered, row = entry.enter_express(session, run, loaded, node.id, outputs)
        return _StartedNode(entered, row)

    def _may_begin(self, workspace_id: str, node: Node) -> bool:
        if time.monotonic() > self._until or not self._may_go_on() or not may_run_ahead(node):
            return False
        names = host_secrets.secret_names(node)
        return not host_secrets.may_be_needed(names, workspace_id)

    def _leave(self, session: Session, claimed: ClaimedRun) -> None:
        # If the job was lost there is nothing to leave: another process has it, or has left it.
        if jobs.complete(session, self._job):
            session.refresh(claimed.run, ["status"])
            admission.leave_express(session, claimed.run)
