"""Goes on with the nodes behind one that was done, in the same process.

Each is begun, done and recorded as its own task would do it, which is answered from the record when
it comes. What is overtaken so is told to the host, which need not begin those tasks at all.

It goes on as long as one node follows that may be done so: of several ways to a node one is taken,
so that nothing else is to be waited for. It ends where the run waits, fails or is tried again, and
before a step that may wait or is heavy, or when the time is over. After a clear it does nothing:
which steps are to be done anew is known to the orchestrator alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from automations.db import run_steps
from automations.db.session import reading
from automations.db.tables import RunStep
from automations.definitions.plan import Node, Plan
from automations.domain.statuses import StepStatus
from automations.execution.recording import recorded
from automations.execution.verdicts import Proceed, TaskRef, Verdict
from automations.kit.values import JSON
from automations.services.workflows.definitions import load
from automations.steps.registry import STEP_TYPES

Run = Callable[[TaskRef], Verdict]


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A node that was done before its own task has begun.

    Args:
        config: with what it was done, as it may be shown.
    """

    node_id: str
    verdict: Proceed
    started_at: datetime
    ended_at: datetime
    config: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Leg:
    """What has become of the nodes behind one.

    Args:
        overtaken: in the order in which they were done.
        left_out: since when nodes are left out that the run's outcomes do not lead to.
    """

    overtaken: tuple[Overtaken, ...]
    left_out: Mapping[str, datetime]


def go_on(ref: TaskRef, done: Proceed, run: Run, budget: timedelta) -> None:
    """Do the nodes behind one as far as they may be done in its process.

    A process that has only found its node recorded begins no other: its predecessor may have been
    killed by the next one, whose deaths are then counted by its own task.

    Args:
        ref: the node that was done.
        run: does a node, and returns what it came to.
        budget: the time after which none is begun.
    """
    until = time.monotonic() + budget.total_seconds()
    with reading() as session:
        plan = load(session, ref.workflow_id, ref.version).plan
    verdict = done
    while not verdict.repeated and time.monotonic() < until:
        node = _behind(plan, ref.node_id, verdict)
        if node is None or not _may_be_overtaken(node):
            return
        ref = replace(ref, node_id=node.id, deaths=0)
        came_to = run(ref)
        if not isinstance(came_to, Proceed):
            return
        verdict = came_to


def leg(ref: TaskRef, done: Proceed) -> Leg:
    """What is recorded of the nodes behind one, whichever process has done them."""
    with reading() as session:
        plan = load(session, ref.workflow_id, ref.version).plan
        node = _behind(plan, ref.node_id, done)
        if node is None:
            return Leg((), {})
        rows = run_steps.steps(session, ref.run_id, ref.generation)
    overtaken: list[Overtaken] = []
    while node is not None and (row := _done(rows.get(node.id))) is not None:
        overtaken.append(row)
        node = _behind(plan, row.node_id, row.verdict)
    left_out = {
        row.node_id: row.started_at for row in rows.values() if row.status == StepStatus.SKIPPED
    }
    return Leg(tuple(overtaken), left_out)


def _behind(plan: Plan, node_id: str, done: Proceed) -> Node | None:
    target = plan.nodes[node_id].follower
    if done.targets is not None:
        target = done.targets[0] if done.targets else None
    return None if target is None else plan.nodes[target]


def _may_be_overtaken(node: Node) -> bool:
    step_type = STEP_TYPES[node.step.type]
    return not step_type.heavy and not step_type.waits(node.step.config)


def _done(row: RunStep | None) -> Overtaken | None:
    if row is None or row.status != StepStatus.DONE or row.ended_at is None:
        return None
    verdict = recorded(row)
    if not isinstance(verdict, Proceed):
        return None
    return Overtaken(row.node_id, verdict, row.started_at, row.ended_at, row.input or {})
