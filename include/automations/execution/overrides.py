"""Steps that wait, and that somebody marks as done in Airflow: they decide in the place of others.

Airflow goes on with such a run and calls nothing of ours. It is seen by the first step behind, or
when the DagRun has ended; who it was is in Airflow's audit log, which a job reads.
"""

from __future__ import annotations

from datetime import UTC, datetime

from automations.db import jobs, run_steps, waits
from automations.db.session import Session
from automations.db.tables import JobKind, Run, Wait
from automations.domain.statuses import PARKED, Decision
from automations.errors import Unreadable
from automations.execution.entered import Entered
from automations.execution.recording import Recorder, line_of
from automations.execution.verdicts import TaskRef
from automations.services.waits.answers import UNKNOWN_IN_AIRFLOW
from automations.services.workflows.definitions import Loaded, load
from automations.steps.outcomes import Answer, Done
from automations.steps.registry import STEP_TYPES


def settle(session: Session, run: Run, begun: TaskRef | None = None) -> None:
    """End the step that a run waits in, when Airflow has gone on without it.

    Args:
        run: its row locked.
        begun: the task that Airflow begins; None when it has ended the whole run.
    """
    if run.status not in PARKED:
        return
    wait = waits.open_wait_of(session, run.id)
    if wait is None or wait.kind == waits.SLOT:
        return
    try:
        loaded = load(session, run.workflow_id, run.version)
    except Unreadable:
        return  # what the step would have put out is known to nobody; the run ends all the same
    row = run_steps.step(session, run.id, wait.node_id)
    if row is None or (begun is not None and not _is_behind(begun, wait, loaded)):
        return
    step, now = loaded.plan.nodes[wait.node_id].step, datetime.now(UTC)
    decision = Decision.APPROVED if wait.kind == "decision" else Decision.RESUMED
    answer = Answer(decision, UNKNOWN_IN_AIRFLOW, now, override=True)
    outcome = Done(STEP_TYPES[step.type].overridden(answer))
    waits.settle(session, wait, waits.Ending(decision, answer.by, override=True))
    entered = Entered(
        ref=TaskRef(run.id, run.workflow_id, run.version, wait.node_id, row.generation),
        loaded=loaded,
        step=step,
        workspace_id=run.workspace_id,
        traceparent=run.traceparent,
        attempt=row.attempt,
        started_at=row.started_at,
        names={},
        kept={},
    )
    Recorder(session, entered, run, row).record(outcome)
    run_steps.log(session, run.id, [line_of(step, outcome, row.started_at, retrying=False)])
    jobs.enqueue(session, JobKind.NAME_OVERRIDE, wait.id)
    session.refresh(run)


def _is_behind(begun: TaskRef, wait: Wait, loaded: Loaded) -> bool:
    """Whether Airflow begins a task that comes after the one that waits.

    One that comes before was cleared, and a process of an earlier generation is only late.
    """
    order = list(loaded.plan.nodes)
    return (
        begun.generation == wait.generation
        and begun.node_id in order
        and wait.node_id in order[: order.index(begun.node_id)]
    )
