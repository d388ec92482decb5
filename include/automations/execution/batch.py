"""Steps of a run that are recorded together, since a repeat of them would change nothing.

A transaction for each costs more than such a step itself. While they are not on record, a process
that dies costs no more than their repeat, under the same keys. Nobody else is kept from beginning
one of them meanwhile: whoever records it first counts, and the whole batch of the other is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from automations.db.runs import run_steps, runs
from automations.db.session import Session
from automations.db.tables import Run, RunStep
from automations.definitions.plan import Node
from automations.domain.statuses import UNFINISHED, RunStatus
from automations.execution import entry
from automations.execution.entered import Entered
from automations.execution.recording import (
    line_of,
    next_node,
    proceed,
    stored,
    visible_output,
)
from automations.execution.verdicts import Proceed, TaskRef
from automations.kit.values import JSON
from automations.services.workflows.definitions import Loaded
from automations.steps.outcomes import Branch, Done, Stop
from automations.steps.registry import STEP_TYPES

MAX_STEPS = 50
"""Steps of a batch: what a crash repeats, and one transaction holds."""
MAX_AGE = 0.2
"""Seconds after which a batch is recorded, so that people see how far a run has come."""


class AlreadyBegun(Exception):
    """Another process has begun a step of a batch, so the transaction must be rolled back."""


def may_be_batched(node: Node) -> bool:
    """Whether a step may be recorded together with those that follow it."""
    step_type = STEP_TYPES[node.step.type]
    # A step with a body records its own progress, in its row.
    return not step_type.body and step_type.is_idempotent(node.step.config)


def add_row(session: Session, entered: Entered) -> RunStep:
    """Add the row of a node that was begun as part of a batch, but is recorded by itself.

    Raises:
        AlreadyBegun: another process has begun it.
    """
    ref = entered.ref
    row = run_steps.begin_first(
        session, ref.run_id, ref.node_id, ref.generation, entered.started_at
    )
    if row is None:
        raise AlreadyBegun
    return row


class Batch:
    """The steps that one process has done since the run was last recorded.

    Args:
        run: as it was read then; what the steps set is added to it.
        outputs: of the nodes that are done, by node.
    """

    def __init__(self, run: Run, loaded: Loaded, outputs: Mapping[str, JSON]) -> None:
        self.outputs = outputs
        self.verdicts: list[Proceed] = []
        """On its nodes, in order."""
        self._run = run
        self._loaded = loaded
        self._ended: list[run_steps.EndedStep] = []
        self._left_out: list[str] = []
        self._variables: dict[str, JSON] = {}
        self._stops = False
        self._due = time.monotonic() + MAX_AGE

    def begin(self, node_id: str) -> Entered:
        """Begin a node without a record of it."""
        ref = TaskRef(
            self._run.id,
            self._run.workflow_id,
            self._loaded.version,
            node_id,
            self._run.generation,
        )
        return entry.begin_unrecorded(self._run, self._loaded, ref, self.outputs)

    def takes(self, node: Node) -> bool:
        """Whether a node may be begun before the batch is recorded."""
        is_due = len(self._ended) >= MAX_STEPS or time.monotonic() > self._due
        return not is_due and may_be_batched(node)

    def add(
        self,
        entered: Entered,
        outcome: Done | Branch | Stop,
        config: dict[str, JSON],
        log_lines: list[Any] | None = None,
    ) -> Node | None:
        """Add a node that has ended; returns the one to go on with.

        Args:
            config: in its recordable form.
            log_lines: lines for the log of its task, which are kept with it.
        """
        node_id, plan = entered.ref.node_id, self._loaded.plan
        arm = outcome.arm if isinstance(outcome, Branch) else None
        self._stops = isinstance(outcome, Stop)
        verdict = proceed(plan, node_id, outcome.output, arm, stop=self._stops)
        line = line_of(entered.step, outcome, entered.started_at, retrying=False)
        self._ended.append(
            run_steps.EndedStep(
                line,
                input=config,
                output=dict(outcome.output),
                verdict=stored(verdict),
                log_lines=log_lines,
            )
        )
        if not self._stops:
            self._left_out += plan.skipped_by(node_id, arm)
        if isinstance(outcome, Done):
            self._variables.update(outcome.variables)
            self._run.variables = {**self._run.variables, **outcome.variables}
        self.outputs = {**self.outputs, node_id: visible_output(outcome)}
        self.verdicts.append(verdict)
        return next_node(plan, node_id, verdict)

    def record(self, session: Session, run: Run, *, has_ended: bool, alone: bool = False) -> bool:
        """Record the steps, and the end of the run if it ends with them.

        Args:
            run: its row locked.
            has_ended: whether there is no node to go on with.
            alone: whether this process has done all of the run's steps, none of which has waited.

        Returns:
            False if the run was cleared or has ended meanwhile, so that nothing may follow.

        Raises:
            AlreadyBegun: another process has begun one of them.
        """
        if run.generation != self._run.generation:
            return False
        if run.status not in UNFINISHED:
            # What they did has happened, so it stays in the log.
            run_steps.log(session, run.id, [step.line for step in self._ended])
            return False
        if not self._ended:
            return True
        if not run_steps.add_ended(session, run.id, run.generation, self._ended):
            raise AlreadyBegun
        if self._variables:
            run.variables = {**run.variables, **self._variables}
        run_steps.skip(session, run.id, self._left_out, run.generation)
        if has_ended:
            self._end_run(session, run, alone=alone)
        return True

    def _end_run(self, session: Session, run: Run, *, alone: bool) -> None:
        pending = self._loaded.plan.pending(run_steps.settled_nodes(session, run.id))
        if self._stops:
            run_steps.skip(session, run.id, pending, run.generation)
        if self._stops or not pending:
            runs.end_run(session, run.id, RunStatus.COMPLETED, has_waited=not alone)
