"""Changes the state of runs: each change of status is one conditional UPDATE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, case, exists, func, select, update
from sqlalchemy.orm import Session

from automations.db.queue import jobs
from automations.db.runs import dag_calls
from automations.db.tables import DagCall, Job, JobKind, Run, RunStep, Wait, Workflow
from automations.domain.statuses import UNFINISHED, RunStatus, SlotStatus, WaitStatus
from automations.kit.values import JSON

TEST = "test"
"""The trigger type of the runs that keep the records of tests of single steps."""


class ClaimedRun(NamedTuple):
    """A run, for the process that has claimed its job.

    Args:
        mine: whether nobody else has claimed the job since.
        held_up: whether the runs of its automation must stand still.
    """

    run: Run
    mine: bool
    held_up: bool


class Standing(NamedTuple):
    """A run, and the row of one of its nodes that has begun."""

    run: Run
    row: RunStep


# Most runs end without any of these; one query is cheaper than three updates of nothing.
_NEEDS_OTHERS = select(
    exists().where(Wait.run_id == bindparam("run"), Wait.status == WaitStatus.OPEN)
    | exists().where(Run.parent_run_id == bindparam("run"))
    | exists().where(DagCall.run_id == bindparam("run"))
)

# Built once, since every step uses them: compiling one takes longer than executing it.
_LOCKED = select(Run).where(Run.id == bindparam("run")).with_for_update()
# Locks both rows, the run's first: a process that had to wait for it then sees the current node.
_LOCKED_AT = (
    select(Run, RunStep)
    .join(RunStep, RunStep.run_id == Run.id)
    .where(Run.id == bindparam("run"), RunStep.node_id == bindparam("node"))
    .with_for_update()
)
_CLAIMED = (
    select(
        Run,
        exists().where(Job.id == bindparam("job"), Job.claims == bindparam("claims")),
        Workflow.held_up.is_not(None),
    )
    .join(Workflow)
    .where(Run.id == bindparam("run"))
    .with_for_update(of=Run)
)


def lock_run(session: Session, run_id: str) -> Run | None:
    """The run, its row locked for this transaction."""
    return session.scalar(_LOCKED, {"run": run_id})


def lock_at(session: Session, run_id: str, node_id: str) -> Standing | None:
    """A run and a node that it has entered, their rows locked for this transaction."""
    values = {"run": run_id, "node": node_id}
    result = session.execute(_LOCKED_AT, values, execution_options={"populate_existing": True})
    return None if (row := result.first()) is None else Standing(*row)


def lock_claimed(session: Session, job: Job) -> ClaimedRun | None:
    """The run that a job is for, its row locked for this transaction."""
    values = {"run": job.subject_id, "job": job.id, "claims": job.claims}
    row = session.execute(_CLAIMED, values, execution_options={"populate_existing": True}).first()
    return None if row is None else ClaimedRun(*row)


def other_unfinished(session: Session, workflow_id: str, run_id: str) -> str | None:
    """The oldest run of an automation, other than one, that has not ended."""
    return session.scalar(
        select(Run.id)
        .where(Run.workflow_id == workflow_id, Run.id != run_id, Run.status.in_(UNFINISHED))
        .order_by(Run.started_at)
        .limit(1)
    )


def renew(session: Session, run: Run, generation: int) -> None:
    """Begin a new generation, since something was cleared in Airflow and the run goes on."""
    _cancel_waits(session, [run.id])
    _cancel_children(session, run.id, f"Run {run.id} was cleared and waits for it no more.")
    if run.slot_key is not None and run.status not in UNFINISHED:
        run.slot = SlotStatus.WAITING
    run.generation, run.status = generation, RunStatus.RUNNING
    run.completed_at = run.error = None
    run.reviving = False


def spend(
    session: Session,
    run_id: str,
    tokens: int,
    cost: Decimal,
    max_tokens: int | None = None,
    max_cost: Decimal | None = None,
) -> bool:
    """Add to what a run has spent on language models; False if that would exceed its budget."""
    query = update(Run).where(Run.id == run_id)
    if max_tokens is not None:
        query = query.where(Run.model_tokens + tokens <= max_tokens)
    if max_cost is not None:
        query = query.where(Run.model_cost + cost <= max_cost)
    spent = query.values(model_tokens=Run.model_tokens + tokens, model_cost=Run.model_cost + cost)
    return session.scalar(spent.returning(Run.id)) is not None


def set_variables(session: Session, run_id: str, variables: Mapping[str, JSON]) -> None:
    """Set some of a run's variables; the others stay."""
    # Not in one statement: PostgreSQL merges only jsonb, which does not keep the order of fields.
    locked = select(Run.variables).where(Run.id == run_id).with_for_update()
    merged = {**(session.scalar(locked) or {}), **variables}
    session.execute(update(Run).where(Run.id == run_id).values(variables=merged))


def end_run(
    session: Session,
    run_id: str,
    status: RunStatus,
    error: str | None = None,
    *,
    has_waited: bool = True,
) -> bool:
    """End a run that has not ended, and cancel what it waits for.

    If it is cancelled, so are all runs that it started; otherwise only those that it waits for.

    Args:
        has_waited: whether any of its steps may have waited for anything.
    """
    ended = session.execute(
        update(Run)
        .where(Run.id == run_id, Run.status.in_(UNFINISHED))
        .values(status=status, error=error, completed_at=func.clock_timestamp(), reviving=False)
        .returning(Run.id, Run.parent_run_id, Run.slot)
    ).first()
    if ended is None:
        return False
    if ended.slot == SlotStatus.HELD:
        # In a job, since slots are handed out with the key locked first, and runs after it.
        jobs.enqueue(session, JobKind.NEXT_RUN, run_id)
    if status == RunStatus.FAILED:
        jobs.enqueue(session, JobKind.REPORT_FAILURE, run_id)
    if ended.parent_run_id is not None:
        # In a job: to avoid deadlocks, a parent's rows are never locked after its child's.
        jobs.enqueue(session, JobKind.WAKE_PARENT, run_id)
    if not has_waited or not session.scalar(_NEEDS_OTHERS, {"run": run_id}):
        return True
    _cancel_waits(session, [run_id])
    if status == RunStatus.CANCELLED:
        _cancel_children(session, run_id, error or "Cancelled.", all_of_them=True)
    else:
        _cancel_children(session, run_id, f"Run {run_id}, which waited for it, is {status}.")
    return True


def correct_end(
    session: Session, run_id: str, ended: RunStatus, status: RunStatus, error: str | None = None
) -> bool:
    """Change how a run has ended; False if it has not ended that way."""
    corrected = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.status == ended)
        .values(status=status, error=error)
        .returning(Run.id)
    )
    if corrected is None:
        return False
    if status == RunStatus.FAILED:
        jobs.enqueue(session, JobKind.REPORT_FAILURE, run_id)
    return True


_HAS_COME_FAR = Run.dispatched_at.is_not(None) | exists().where(RunStep.run_id == Run.id)
"""Airflow has the run, or will get it, since express workers have already run steps of it."""


def reopen(session: Session, run_id: str) -> bool:
    """Restart a run that failed before anything was done; False for any other run."""
    reopened = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.status == RunStatus.FAILED, ~_HAS_COME_FAR)
        .values(
            status=RunStatus.RUNNING,
            error=None,
            completed_at=None,
            slot=case((Run.slot_key.is_not(None), SlotStatus.WAITING)),
        )
        .returning(Run.id)
    )
    return reopened is not None


def revive(session: Session, run_id: str) -> bool:
    """Have a failed run go on; Airflow is yet to be told. False for any other run."""
    revived = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.status == RunStatus.FAILED, _HAS_COME_FAR)
        .values(
            status=RunStatus.RUNNING,
            error=None,
            completed_at=None,
            slot=case((Run.slot_key.is_not(None), SlotStatus.WAITING)),
            reviving=True,
        )
        .returning(Run.id)
    )
    return revived is not None


def mark_revived(session: Session, run_id: str) -> None:
    """Record that Airflow was told that a run goes on."""
    session.execute(update(Run).where(Run.id == run_id, Run.reviving).values(reviving=False))


def take_back(session: Session, run_id: str) -> bool:
    """Have Airflow, which has lost a run, start it again; False if Airflow never had it.

    The results of its steps stay, and are used instead of running them again. From now on its
    DagRun has the run's own id.
    """
    taken = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.status.in_(UNFINISHED), Run.dispatched_at.is_not(None))
        .values(dispatched_at=None, dag_run_id=None, express=False)
        .returning(Run.id)
    )
    return taken is not None


def in_flight(session: Session, workflow_id: str, before: datetime) -> list[str]:
    """The ids of an automation's runs that Airflow got before a time and that have not ended."""
    return list(
        session.scalars(
            select(Run.id)
            .where(
                Run.workflow_id == workflow_id,
                Run.status.in_(UNFINISHED),
                Run.dispatched_at <= before,
            )
            .order_by(Run.started_at, Run.id)
        )
    )


def unfinished_ids(session: Session, workflow_id: str, limit: int) -> Sequence[str]:
    """The ids of some of an automation's runs that have not ended."""
    query = select(Run.id).where(Run.workflow_id == workflow_id, Run.status.in_(UNFINISHED))
    return session.scalars(query.order_by(Run.id).limit(limit)).all()


def _cancel_waits(session: Session, run_ids: Sequence[str]) -> None:
    session.execute(
        update(Wait)
        .where(Wait.run_id.in_(run_ids), Wait.status == WaitStatus.OPEN)
        .values(status=WaitStatus.CANCELLED)
    )


def _cancel_children(
    session: Session, run_id: str, reason: str, *, all_of_them: bool = False
) -> None:
    """Cancel the children that a run waits for, or all of them, and everything they started."""
    dag_calls.cancel(session, [run_id], awaited=not all_of_them)
    condition: ColumnElement[bool] = Run.parent_run_id == run_id
    if not all_of_them:
        condition &= Run.awaited
    # Locked from the top down and by id, as everywhere, to avoid deadlocks.
    while children := session.execute(
        select(Run.id, Run.status, Run.slot).where(condition).order_by(Run.id).with_for_update()
    ).all():
        if ended := [child.id for child in children if child.status in UNFINISHED]:
            session.execute(
                update(Run)
                .where(Run.id.in_(ended))
                .values(
                    status=RunStatus.CANCELLED, error=reason, completed_at=func.clock_timestamp()
                )
            )
            _cancel_waits(session, ended)
            jobs.enqueue_all(session, JobKind.FAIL_RUN, ended)
            held = {child.id for child in children if child.slot == SlotStatus.HELD}
            jobs.enqueue_all(
                session, JobKind.NEXT_RUN, [child_id for child_id in ended if child_id in held]
            )
        dag_calls.cancel(session, [child.id for child in children], awaited=False)
        condition = Run.parent_run_id.in_([child.id for child in children])


def end_lost_tests(session: Session, older_than: timedelta) -> None:
    """End step tests whose process has died."""
    session.execute(
        update(Run)
        .where(
            Run.status.in_(UNFINISHED),
            Run.trigger_type == TEST,
            Run.started_at < func.clock_timestamp() - older_than,
        )
        .values(
            status=RunStatus.FAILED,
            error="The test did not come to its end.",
            completed_at=func.clock_timestamp(),
        )
    )


def mark_dispatched(session: Session, run_id: str) -> None:
    """Record that Airflow has the run; if it was cancelled meanwhile, it is ended there, too."""
    status = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.dispatched_at.is_(None))
        .values(dispatched_at=func.clock_timestamp())
        .returning(Run.status)
    )
    if status == RunStatus.CANCELLED:
        # Whoever cancelled it may have found nothing to end in Airflow.
        jobs.enqueue(session, JobKind.FAIL_RUN, run_id)


def is_any_unfinished(session: Session) -> bool:
    """Whether there is a run that has not ended."""
    return bool(session.scalar(select(exists().where(Run.status.in_(UNFINISHED)))))


def list_unfinished(
    session: Session, *, after: str, older_than: timedelta, limit: int
) -> list[Run]:
    """Runs that have not ended and that Airflow has had for a while, in the order of their ids."""
    return list(
        session.scalars(
            select(Run)
            .where(
                Run.status.in_(UNFINISHED),
                Run.id > after,
                Run.dispatched_at < func.clock_timestamp() - older_than,
            )
            .order_by(Run.id)
            .limit(limit)
        )
    )
