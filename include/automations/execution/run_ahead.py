"""Runs the nodes that follow one that is done, in the same process, ahead of their own tasks.

Each is begun, run and recorded as its own task would do it; that task, should it begin, gets the
recorded verdict. The host is told what was done ahead, and need not begin those tasks at all.

It goes on while there is a next node that may be run so. Only one path leads to each node in a run,
so there is never another branch to wait for. It stops where the run waits, fails or retries, before
a step that may wait or is heavy, and when its time is up. After a clear it does nothing, since only
the orchestrator knows which steps were cleared.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache, partial

from automations.db import locks
from automations.db.runs import run_steps, runs
from automations.db.runs.runs import Standing
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import Run, RunStep
from automations.definitions.plan import Node
from automations.domain.statuses import RunStatus, SlotStatus, StepStatus
from automations.errors import DatabaseUnavailable
from automations.execution import entry, host_secrets
from automations.execution.batch import AlreadyBegun, Batch, add_row, may_be_batched
from automations.execution.engine import Engine, lock_name, log_context, record_in
from automations.execution.entered import Entered
from automations.execution.journal import Journal, verdict_line
from automations.execution.recording import next_node, recorded_verdict, visible_output
from automations.execution.verdicts import Proceed, Skip, TaskRef, Verdict
from automations.kit.values import JSON
from automations.services.workflows.definitions import load
from automations.steps.outcomes import Branch, Done, Outcome, Stop
from automations.steps.registry import STEP_TYPES

log = logging.getLogger(__name__)

Host = Callable[[str], AbstractContextManager[Journal]]
"""The host's context manager around a node that runs ahead of its task; yields that task's log."""


@dataclass(frozen=True, slots=True)
class DoneAhead:
    """A node that was done before its own task began.

    Args:
        config: its config in its recordable form.
    """

    node_id: str
    step_type: str
    verdict: Proceed
    started_at: datetime
    ended_at: datetime
    config: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Leg:
    """What became of the nodes that follow one.

    Args:
        done_ahead: in the order in which they were done.
        left_out: the nodes that the run's path does not lead to, with the time they were skipped.
    """

    done_ahead: tuple[DoneAhead, ...]
    left_out: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class LightNode:
    """A node that a process other than its task's own may run, and those that follow it.

    Args:
        batch: in which it is to be recorded; None if it is recorded by itself.
    """

    ref: TaskRef
    batch: Batch | None


def light_node(ref: TaskRef) -> LightNode | None:
    """A task's node, if a process other than the task's own may run it.

    That takes a run that is on record already: only the node's own task can create one from what
    the orchestrator knows.
    """
    with reading() as session:
        run = session.get(Run, ref.run_id)
        if run is None or run.workflow_id != ref.workflow_id:
            return None
        if run.generation or run.status != RunStatus.RUNNING:
            return None
        loaded = load(session, ref.workflow_id, ref.version)
        node = loaded.plan.nodes.get(ref.node_id)
        if node is None or not may_run_ahead(node):
            return None
        batch = Batch(run, loaded, {}) if _opens_batch(session, run, ref, node) else None
    if host_secrets.may_be_needed(_secrets(ref.workflow_id, ref.version), run.workspace_id):
        return None
    return LightNode(ref, batch)


def _opens_batch(session: Session, run: Run, ref: TaskRef, node: Node) -> bool:
    """Whether a run can begin with a node without being entered: see ``entry``."""
    if not may_be_batched(node) or run.version != ref.version:
        return False
    stands_still = run.reviving or run.slot == SlotStatus.WAITING
    return not stands_still and not run_steps.has_begun(session, run.id)


@lru_cache(maxsize=64)
def _secrets(workflow_id: str, version: int) -> frozenset[str]:
    """The secrets that the steps of a version may name."""
    with reading() as session:
        plan = load(session, workflow_id, version).plan
    return frozenset[str]().union(*map(host_secrets.secret_names, plan.nodes.values()))


def run_batched(
    engine: Engine, batch: Batch, node_id: str, host: Host, budget: timedelta
) -> Verdict:
    """Run a node that opens a batch, and those that follow it.

    Returns:
        The node's own verdict.
    """
    with locks.moving() as lock:
        ahead = _Ahead(engine, host, lock, time.monotonic() + budget.total_seconds(), batch)
        return ahead.run(batch.begin(node_id))


def run_following(
    engine: Engine, ref: TaskRef, done: Proceed, host: Host, budget: timedelta
) -> None:
    """Run the nodes that follow one, as far as they may run in its process.

    A process that only found its node recorded begins no other: the process before it may have been
    killed by the next node, and only that node's own task counts such deaths.

    Args:
        ref: the node that was done.
        budget: the time after which no further node begins.
    """
    if done.repeated:
        return
    until = time.monotonic() + budget.total_seconds()
    with locks.moving() as lock:
        ahead = _Ahead(engine, host, lock, until)
        with unit_of_work() as session:
            plan = load(session, ref.workflow_id, ref.version).plan
            run = runs.lock_run(session, ref.run_id)
            entered = ahead.begin(session, run, ref, next_node(plan, ref.node_id, done))
        if entered is not None:
            ahead.run(entered)


class _Ahead:
    """The nodes that one process runs after its own.

    Each node is recorded in the transaction that begins the next one, under a lock that the node's
    own task waits for, should it begin meanwhile; or together with those before it (see ``batch``).
    """

    def __init__(
        self,
        engine: Engine,
        host: Host,
        lock: locks.HandOverHandLock,
        until: float,
        batch: Batch | None = None,
    ) -> None:
        self._engine = engine
        self._host = host
        self._lock = lock
        self._until = until
        self._batch = batch

    def run(self, entered: Entered) -> Verdict:
        """Run a node that has begun, and those behind it; returns the first one's verdict."""
        batch = self._batch
        verdict, following = self._do(entered)
        while following is not None:
            came_to, following = self._do(following)
            if verdict is None and came_to is not None and batch is not None:
                # What came of the node that it was recorded with is not its own verdict.
                verdict = came_to if isinstance(came_to, Skip) else batch.verdicts[0]
        return verdict or Skip("It is not on record.")

    def begin(
        self,
        session: Session,
        run: Run | None,
        ref: TaskRef,
        node: Node | None,
        outputs: Mapping[str, JSON] | None = None,
    ) -> Entered | None:
        """Begin a node, if it may be run ahead."""
        self._batch = None
        if run is None or node is None or not self._may_begin(node):
            return None
        ref = replace(ref, node_id=node.id, deaths=0)
        if may_be_batched(node):
            if not entry.is_underway(run, ref):
                return None
            known_outputs = run_steps.outputs(session, ref.run_id) if outputs is None else outputs
            self._batch = Batch(run, load(session, ref.workflow_id, ref.version), known_outputs)
            return self._batch.begin(node.id)
        if not self._lock.move(lock_name(ref)):
            return None
        return entry.enter_ahead(session, run, ref, outputs)

    def _do(self, entered: Entered) -> tuple[Verdict | None, Entered | None]:
        """Run a node that has begun, and begin the next one.

        Returns:
            The verdict on the node or on the batch that was recorded with it; None if that is not
            recorded yet.
        """
        ref, config = entered.ref, dict[str, JSON]()
        with log_context(ref), self._host(ref.node_id) as journal:
            outcome = self._engine.attempt(entered, journal, config.update)
            record = partial(self._record, entered, outcome, config, self._batch)
            if self._batch is not None and isinstance(outcome, Done | Branch | Stop):
                node = self._batch.add(entered, outcome, config)
                if node is not None and self._may_begin(node) and self._batch.takes(node):
                    return None, self._batch.begin(node.id)
                record = partial(self._record_batch, self._batch, ref, node)
            try:
                verdict, following = record(goes_on=True)
            except DatabaseUnavailable:
                raise
            except AlreadyBegun:
                return Skip("Its own task has begun meanwhile."), None
            except Exception:
                # An error in beginning the next node must not undo this one.
                log.exception("The step behind '%s' is left to its own task", entered.step.name)
                verdict, following = record(goes_on=False)
            if (line := verdict_line(entered.step, outcome, verdict)) is not None:
                journal.say(line)
        return verdict, following

    def _may_begin(self, node: Node) -> bool:
        return may_run_ahead(node) and time.monotonic() <= self._until

    def _record(
        self,
        entered: Entered,
        outcome: Outcome,
        config: dict[str, JSON],
        batch: Batch | None,
        *,
        goes_on: bool,
    ) -> tuple[Verdict, Entered | None]:
        """Record a step by itself, and begin the node behind it."""
        ref = entered.ref
        with unit_of_work() as session:
            standing = _lock(session, entered, batch)
            verdict = record_in(session, standing, entered, outcome, {"input": config})
            if not goes_on or standing is None:
                return verdict, None
            if not isinstance(verdict, Proceed) or verdict.repeated:
                return verdict, None
            node = next_node(entered.loaded.plan, ref.node_id, verdict)
            outputs = {**entered.outputs, ref.node_id: visible_output(outcome)}
            return verdict, self.begin(session, standing.run, ref, node, outputs)

    def _record_batch(
        self, batch: Batch, ref: TaskRef, node: Node | None, *, goes_on: bool
    ) -> tuple[Verdict, Entered | None]:
        """Record the steps so far, and begin the node behind them."""
        with unit_of_work() as session:
            run = runs.lock_run(session, ref.run_id)
            if run is None or not batch.record(session, run, has_ended=node is None):
                return Skip("The run was ended or cleared meanwhile."), None
            following = self.begin(session, run, ref, node, batch.outputs) if goes_on else None
            return batch.verdicts[-1], following


def _lock(session: Session, entered: Entered, batch: Batch | None) -> Standing | None:
    """A run and the node that has ended, both locked, with all before it on record."""
    ref = entered.ref
    if batch is None:
        return runs.lock_at(session, ref.run_id, ref.node_id)
    run = runs.lock_run(session, ref.run_id)
    if run is None or not batch.record(session, run, has_ended=False):
        return None
    return Standing(run, add_row(session, entered))


def leg(ref: TaskRef, done: Proceed, *, whole: bool = False) -> Leg:
    """What is recorded of the nodes that follow one, whichever process ran them.

    Args:
        whole: whether to include that node itself.
    """
    with reading() as session:
        plan = load(session, ref.workflow_id, ref.version).plan
        node = plan.nodes[ref.node_id] if whole else next_node(plan, ref.node_id, done)
        if node is None:
            return Leg((), {})
        rows = run_steps.steps(session, ref.run_id, ref.generation)
    done_ahead: list[DoneAhead] = []
    while node is not None and (row := _done_ahead(node, rows.get(node.id))) is not None:
        done_ahead.append(row)
        node = next_node(plan, row.node_id, row.verdict)
    left_out = {
        row.node_id: row.started_at for row in rows.values() if row.status == StepStatus.SKIPPED
    }
    return Leg(tuple(done_ahead), left_out)


def may_run_ahead(node: Node) -> bool:
    """Whether a node may run in a process that is not its own task's."""
    step_type = STEP_TYPES[node.step.type]
    return not step_type.heavy and not step_type.waits(node.step.config)


def _done_ahead(node: Node, row: RunStep | None) -> DoneAhead | None:
    if row is None or row.status != StepStatus.DONE or row.ended_at is None:
        return None
    verdict = recorded_verdict(row)
    if not isinstance(verdict, Proceed):
        return None
    kind, config = node.step.type, row.input or {}
    return DoneAhead(node.id, kind, verdict, row.started_at, row.ended_at, config)
