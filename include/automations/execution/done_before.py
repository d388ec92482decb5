"""What express workers did of a run, in the form in which the orchestrator is to show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from automations.db.tables import Run, RunStep
from automations.definitions.plan import Plan
from automations.domain.statuses import RunStatus, StepStatus
from automations.execution.recording import recorded_verdict
from automations.execution.verdicts import Proceed
from automations.kit import common_clock
from automations.ports import DoneBefore, DoneTask

_ENDED: Mapping[RunStatus, Literal["success", "failed"]] = {
    RunStatus.COMPLETED: "success",
    RunStatus.CANCELLED: "failed",
}
"""The orchestrator's state for a run that has ended; a failed one fails there in its own task."""


def done_before(run: Run, rows: Iterable[RunStep], plan: Plan) -> DoneBefore | None:
    """What the orchestrator is to show of a run that it gets; None if nothing was done yet."""
    tasks = [task for row in rows if (task := _task(row, plan)) is not None]
    if not tasks or run.generation:
        return None
    return DoneBefore(
        version=run.version,
        tasks=sorted(tasks, key=lambda task: task.started_at),
        began_at=run.started_at,
        ended_at=run.completed_at,
        ended=_ENDED.get(run.status),
    )


def _task(row: RunStep, plan: Plan) -> DoneTask | None:
    node = plan.nodes.get(row.node_id)
    if node is None or row.generation:
        return None
    kind, lines = node.step.type, tuple(map(tuple, row.log_lines or ()))
    if row.status == StepStatus.SKIPPED:
        return DoneTask(node.id, kind, "left_out", row.started_at, row.started_at)
    verdict = recorded_verdict(row)
    if row.status != StepStatus.DONE or not isinstance(verdict, Proceed):
        now = common_clock.now()
        return DoneTask(node.id, kind, "begun", row.started_at, row.ended_at or now, lines=lines)
    return DoneTask(
        node.id,
        kind,
        "done",
        row.started_at,
        row.ended_at or row.started_at,
        verdict.summary,
        verdict.targets,
        row.input or {},
        lines,
    )
