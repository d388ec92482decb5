"""Settles waiting steps that somebody has marked in Airflow.

Marking such a step as done decides it in place of those who were asked; marking it as skipped
leaves it out, and nothing is decided. Airflow then goes on with the run without calling us. We
notice when the next step begins or the DagRun has ended; who it was is in Airflow's audit log,
which a job reads.
"""

from __future__ import annotations

from collections.abc import Callable

from automations.db.queue import jobs
from automations.db.runs import run_steps
from automations.db.session import Session
from automations.db.tables import JobKind, Run, Wait
from automations.db.waits import waits
from automations.domain.statuses import PARKED, Decision, WaitKind
from automations.errors import Unreadable
from automations.execution.entered import Entered
from automations.execution.recording import Recorder, line_of
from automations.execution.verdicts import TaskRef
from automations.kit import common_clock
from automations.services.waits.answers import UNKNOWN_IN_AIRFLOW
from automations.services.workflows.definitions import Loaded, load
from automations.steps.outcomes import Answer, Done
from automations.steps.registry import STEP_TYPES


def waiting(session: Session, run: Run) -> str | None:
    """The step that a run is waiting in, if any; the run's row must be locked."""
    wait = _wait_of(session, run)
    return None if wait is None else wait.node_id


def settle(
    session: Session, run: Run, is_skipped: Callable[[str], bool], begun: TaskRef | None = None
) -> None:
    """End the step that a run is waiting in, if Airflow has gone on without it.

    Args:
        run: its row locked.
        is_skipped: whether a step is skipped in Airflow.
        begun: the task that Airflow is beginning; None when it has ended the whole run.
    """
    wait = _wait_of(session, run)
    if wait is None:
        return
    try:
        loaded = load(session, run.workflow_id, run.version)
    except Unreadable:
        return  # the step's output cannot be known any more; the run ends all the same
    row = run_steps.step(session, run.id, wait.node_id)
    if row is None or (begun is not None and not _is_behind(begun, wait, loaded)):
        return
    if is_skipped(wait.node_id):
        waits.cancel(session, wait)
        run_steps.leave_out(session, row)
        session.refresh(run)
        return
    step, now = loaded.plan.nodes[wait.node_id].step, common_clock.now()
    decision = Decision.APPROVED if wait.kind == WaitKind.DECISION else Decision.RESUMED
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


def _wait_of(session: Session, run: Run) -> Wait | None:
    if run.status not in PARKED:
        return None
    wait = waits.open_wait_of(session, run.id)
    return None if wait is None or wait.kind == WaitKind.SLOT else wait


def _is_behind(begun: TaskRef, wait: Wait, loaded: Loaded) -> bool:
    """Whether the task that Airflow is beginning comes after the one that waits.

    One that comes before it was cleared, and a process of an earlier generation is merely late.
    """
    order = list(loaded.plan.nodes)
    return (
        begun.generation == wait.generation
        and begun.node_id in order
        and wait.node_id in order[: order.index(begun.node_id)]
    )
