"""Writes the state of runs: every change of status is one conditional UPDATE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, case, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.queue import jobs
from automations.db.runs import dag_calls
from automations.db.tables import DagCall, Job, JobKind, Run, RunStep, Wait, Workflow
from automations.domain.statuses import UNFINISHED, RunStatus, SlotStatus, WaitStatus
from automations.kit import tracing
from automations.kit.ids import new_id
from automations.kit.values import JSON

TEST = "test"
"""The trigger type of the runs that keep the records of tests of single steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """What is known of a run when it begins.

    Args:
        id: the DagRun's, when Airflow has made it; otherwise a new one is made.
        starters: identities of the people who made it begin.
        version: the automation's newest one, unless Airflow has chosen another.
        variables: their first values.
        event_id: what it is started for; of an automation an event starts one run.
        depth: how many runs have led to it, each the cause of the next.
        awaited: whether the parent waits for it, so that it ends with the parent.
        dispatched: whether Airflow has it already.
        dag_run_id: the DagRun's id, where Airflow has one of another form.
        slot_key: of a run that must wait for its turn.
        rate_key: of one that counts for a rate limit.
        express: whether express workers do its first steps.
    """

    trigger_type: str
    trigger_data: Mapping[str, JSON]
    input: Mapping[str, JSON]
    started_by: str | None
    starters: Sequence[str] = ()
    id: str | None = None
    version: int | None = None
    variables: Mapping[str, JSON] = field(default_factory=dict)
    event_id: str | None = None
    replay_of: str | None = None
    depth: int = 0
    parent_run_id: str | None = None
    awaited: bool = False
    dispatched: bool = False
    dag_run_id: str | None = None
    slot_key: str | None = None
    rate_key: str | None = None
    express: bool = False


class ClaimedRun(NamedTuple):
    """A run for whoever has claimed its job.

    Args:
        mine: whether nobody else has claimed it since.
        held_up: whether the runs of its automation are to stand still.
    """

    run: Run
    mine: bool
    held_up: bool


class Standing(NamedTuple):
    """A run, and a node of it that was begun."""

    run: Run
    row: RunStep


def insert_run(session: Session, workflow: Workflow, new: NewRun) -> Run | None:
    """Insert a run; None when this id, or this event's run of the automation, is there already."""
    run_id = new.id or new_id()
    span, traceparent = tracing.beginning("run", run_id=run_id, workflow_id=workflow.id)
    query = (
        insert(Run)
        .values(
            id=run_id,
            workspace_id=workflow.workspace_id,
            workflow_id=workflow.id,
            version=new.version or workflow.version,
            trigger_type=new.trigger_type,
            trigger_data=new.trigger_data,
            input=new.input,
            variables=new.variables,
            slot_key=new.slot_key,
            rate_key=new.rate_key,
            slot=None if new.slot_key is None else SlotStatus.WAITING,
            event_id=new.event_id,
            replay_of_run_id=new.replay_of,
            depth=new.depth,
            parent_run_id=new.parent_run_id,
            awaited=new.awaited,
            traceparent=traceparent,
            express=new.express,
            started_by=new.started_by,
            starters=list(new.starters),
            dispatched_at=func.clock_timestamp() if new.dispatched else None,
            dag_run_id=new.dag_run_id,
        )
        # Two that record the same run, or match the same event, are one run: the first one's.
        .on_conflict_do_nothing()
        .returning(Run)
    )
    run = session.scalar(query)
    if run is not None:
        span.end()
    return run


# Most runs end without; one question costs less than three statements that change nothing.
_NEEDS_OTHERS = select(
    exists().where(Wait.run_id == bindparam("run"), Wait.status == WaitStatus.OPEN)
    | exists().where(Run.parent_run_id == bindparam("run"))
    | exists().where(DagCall.run_id == bindparam("run"))
)

# Made once, as each step asks for them: to put one together anew takes longer than PostgreSQL does.
_LOCKED = select(Run).where(Run.id == bindparam("run")).with_for_update()
# Both rows are locked, the run's first: who had to wait for it sees the node as it is then.
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
    """The run and a node that it has come to, their rows locked for this transaction."""
    values = {"run": run_id, "node": node_id}
    found = session.execute(_LOCKED_AT, values, execution_options={"populate_existing": True})
    return None if (row := found.first()) is None else Standing(*row)


def lock_claimed(session: Session, job: Job) -> ClaimedRun | None:
    """The run that a job is for, its row locked for this transaction."""
    values = {"run": job.subject_id, "job": job.id, "claims": job.claims}
    found = session.execute(_CLAIMED, values, execution_options={"populate_existing": True}).first()
    return None if found is None else ClaimedRun(*found)


def other_unfinished(session: Session, workflow_id: str, run_id: str) -> str | None:
    """The oldest run of an automation, other than one, that has not ended."""
    return session.scalar(
        select(Run.id)
        .where(Run.workflow_id == workflow_id, Run.id != run_id, Run.status.in_(UNFINISHED))
        .order_by(Run.started_at)
        .limit(1)
    )


def renew(session: Session, run: Run, generation: int) -> None:
    """Begin a new generation: something was cleared in Airflow, so the run goes on."""
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
    """Add to what a run has spent on language models, unless it comes to more than it may."""
    query = update(Run).where(Run.id == run_id)
    if max_tokens is not None:
        query = query.where(Run.model_tokens + tokens <= max_tokens)
    if max_cost is not None:
        query = query.where(Run.model_cost + cost <= max_cost)
    spent = query.values(model_tokens=Run.model_tokens + tokens, model_cost=Run.model_cost + cost)
    return session.scalar(spent.returning(Run.id)) is not None


def set_variables(session: Session, run_id: str, variables: Mapping[str, JSON]) -> None:
    """Set some of a run's variables; the others stay."""
    # Not in one statement: only jsonb can be put together, and that forgets the order of fields.
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

    With a cancelled run all that it has started are cancelled, otherwise those that it waits for.

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
        # By a job, too: who hands out slots locks the key first, and runs after it.
        jobs.enqueue(session, JobKind.NEXT_RUN, run_id)
    if status == RunStatus.FAILED:
        jobs.enqueue(session, JobKind.REPORT_FAILURE, run_id)
    if ended.parent_run_id is not None:
        # By a job: the parent's rows are locked after the child's nowhere, lest two wait in a ring.
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
    """Change how a run has ended; False when it has not ended so."""
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
"""Airflow has it, or will have it: express workers have done steps of it before."""


def reopen(session: Session, run_id: str) -> bool:
    """Have a run begin once more that failed before anything was done; False for any other."""
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
    """Have a run go on that has failed, which Airflow is still to be told; False for any other."""
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
    """Note that Airflow was told that a run goes on."""
    session.execute(update(Run).where(Run.id == run_id, Run.reviving).values(reviving=False))


def take_back(session: Session, run_id: str) -> bool:
    """Have a run begin once more in Airflow, which has lost it; False when it has none there.

    What its steps came to stays, and is taken instead of doing them again. There it goes by its
    own id from now on.
    """
    taken = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.status.in_(UNFINISHED), Run.dispatched_at.is_not(None))
        .values(dispatched_at=None, dag_run_id=None, express=False)
        .returning(Run.id)
    )
    return taken is not None


def in_flight(session: Session, workflow_id: str, before: datetime) -> list[str]:
    """The ids of an automation's runs that have not ended and that Airflow was given before."""
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
    """Cancel what a run waits for, or has started, and all that those runs have started."""
    dag_calls.cancel(session, [run_id], awaited=not all_of_them)
    wanted: ColumnElement[bool] = Run.parent_run_id == run_id
    if not all_of_them:
        wanted &= Run.awaited
    # From the top down and by id, as everybody locks them, lest two wait for each other.
    while found := session.execute(
        select(Run.id, Run.status, Run.slot).where(wanted).order_by(Run.id).with_for_update()
    ).all():
        if ended := [child.id for child in found if child.status in UNFINISHED]:
            session.execute(
                update(Run)
                .where(Run.id.in_(ended))
                .values(
                    status=RunStatus.CANCELLED, error=reason, completed_at=func.clock_timestamp()
                )
            )
            _cancel_waits(session, ended)
            jobs.enqueue_all(session, JobKind.FAIL_RUN, ended)
            held = {child.id for child in found if child.slot == SlotStatus.HELD}
            jobs.enqueue_all(session, JobKind.NEXT_RUN, [one for one in ended if one in held])
        dag_calls.cancel(session, [child.id for child in found], awaited=False)
        wanted = Run.parent_run_id.in_([child.id for child in found])


def end_lost_tests(session: Session, older_than: timedelta) -> None:
    """End the tests of steps whose process has died."""
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
    """Note that Airflow has the run; one that was cancelled meanwhile is ended there, too."""
    status = session.scalar(
        update(Run)
        .where(Run.id == run_id, Run.dispatched_at.is_(None))
        .values(dispatched_at=func.clock_timestamp())
        .returning(Run.status)
    )
    if status == RunStatus.CANCELLED:
        # Whoever has cancelled it may have been told that there is nothing to end.
        jobs.enqueue(session, JobKind.FAIL_RUN, run_id)


def is_any_unfinished(session: Session) -> bool:
    """Whether there is a run that has not ended."""
    return bool(session.scalar(select(exists().where(Run.status.in_(UNFINISHED)))))


def list_unfinished(
    session: Session, *, after: str, older_than: timedelta, limit: int
) -> list[Run]:
    """Runs that Airflow has had for a while and that have not ended, by id."""
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
