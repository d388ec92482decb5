"""Pauses: opened by a step, ended once by whoever answers first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.queue import jobs
from automations.db.tables import Approver, JobKind, Run, Wait, Workflow
from automations.domain import people
from automations.domain.statuses import (
    PARKED,
    UNFINISHED,
    Decision,
    RunStatus,
    WaitKind,
    WaitStatus,
)
from automations.kit.ids import new_id
from automations.kit.values import JSON

WOKEN = "automations_wait"

REFUSED = "refused"
"""Key in a question: who gave the last answer, and why it was refused."""

_OPEN_DECISIONS = (
    Wait.kind == WaitKind.DECISION,
    Wait.status == WaitStatus.OPEN,
    # Matches a small partial index.
    Run.status.in_(UNFINISHED),
)
_ASKED = (WaitKind.DECISION, WaitKind.CALLBACK, WaitKind.FORM)
"""Kinds of pause that Airflow shows in Required Actions: an answer must be passed on there, too."""


@dataclass(frozen=True, slots=True)
class NewWait:
    """A pause to be opened.

    Args:
        question: what people are asked; or for a child, which run or DagRun ends it.
        key: the step's idempotency key, which identifies its callback or forms.
    """

    run_id: str
    node_id: str
    generation: int
    kind: WaitKind
    due_at: datetime
    question: Mapping[str, Any] | None = None
    approvers: Iterable[str] = ()
    key: str | None = None


def open_wait(session: Session, new: NewWait) -> Wait:
    """Open a pause and set the run's status accordingly; jobs ask the approvers.

    A run that will retry a step is shown as running.
    """
    question = dict(new.question) if new.question is not None else None
    wait = Wait(
        run_id=new.run_id,
        node_id=new.node_id,
        generation=new.generation,
        kind=new.kind,
        due_at=new.due_at,
        question=question,
        key=new.key,
    )
    session.add(wait)
    session.flush()
    add_approvers(session, wait, new.approvers)
    if seconds := (question or {}).get("escalate_seconds"):
        jobs.enqueue(session, JobKind.ESCALATE_WAIT, wait.id, timedelta(seconds=seconds))
    if (shown := _run_status(new.kind)) is not None:
        session.execute(
            update(Run)
            .where(Run.id == new.run_id, Run.status == RunStatus.RUNNING)
            .values(status=shown)
        )
    return wait


def _run_status(kind: WaitKind) -> RunStatus | None:
    """The status of a run with such a pause; None if it is shown as running."""
    match kind:
        case WaitKind.RETRY | WaitKind.SLOT:
            return None
        case WaitKind.CHILD:
            return RunStatus.WAITING_FOR_CHILD
        case WaitKind.DELAY | WaitKind.DECISION | WaitKind.CALLBACK | WaitKind.FORM:
            return RunStatus.PAUSED
        case _:
            assert_never(kind)


def add_approvers(session: Session, wait: Wait, addresses: Iterable[str]) -> None:
    """Ask these people, too; jobs of their own send each a link of their own, and remind them."""
    present = {people.mailbox(person.address) for person in approvers(session, wait.id)}
    # One mailbox is one person with one link and one vote, however the address is written.
    rows = [
        {"id": new_id(), "wait_id": wait.id, "address": address}
        for address in people.each_once(addresses)
        if people.mailbox(address) not in present
    ]
    if not rows:
        return
    remind = (wait.question or {}).get("remind_seconds")
    workspace_id = session.get_one(Run, wait.run_id).workspace_id
    added = insert(Approver).values(rows).on_conflict_do_nothing().returning(Approver.id)
    for approver_id in session.scalars(added).all():
        jobs.enqueue(session, JobKind.ASK_APPROVER, approver_id, workspace_id=workspace_id)
        if remind:
            jobs.enqueue(
                session,
                JobKind.REMIND_APPROVER,
                approver_id,
                timedelta(seconds=remind),
                workspace_id=workspace_id,
            )


@dataclass(frozen=True, slots=True)
class Ending:
    """How a pause ends.

    Args:
        override: somebody decides in place of those who were asked.
    """

    decision: Decision
    by: str | None = None
    data: JSON = None
    override: bool = False
    reason: str | None = None


def settle(session: Session, wait: Wait, ending: Ending) -> bool:
    """End an open pause, set its run going, and wake whoever sleeps on it.

    Returns:
        False when somebody else was first; nothing is changed then.
    """
    won = session.scalar(
        update(Wait)
        .where(Wait.id == wait.id, Wait.status == WaitStatus.OPEN)
        .values(
            status=WaitStatus.ANSWERED,
            decision=ending.decision,
            decided_by=ending.by,
            decided_at=func.clock_timestamp(),
            data=ending.data,
            override=ending.override,
            reason=ending.reason,
        )
        .returning(Wait.id)
    )
    if won is None:
        return False
    session.refresh(wait)
    show_as_running(session, wait.run_id)
    jobs.notify(session, WOKEN, wait.id)
    return True


def cancel(session: Session, wait: Wait) -> None:
    """End an open pause without an answer, and show its run as running."""
    session.execute(
        update(Wait)
        .where(Wait.id == wait.id, Wait.status == WaitStatus.OPEN)
        .values(status=WaitStatus.CANCELLED)
    )
    session.refresh(wait)
    show_as_running(session, wait.run_id)


def note_refusal(session: Session, wait: Wait, why: str | None) -> None:
    """Store with a question why the last answer was refused; None if it was accepted."""
    original = {key: value for key, value in (wait.question or {}).items() if key != REFUSED}
    question = original if why is None else {**original, REFUSED: why}
    if question != (wait.question or {}):
        session.execute(update(Wait).where(Wait.id == wait.id).values(question=question))
        session.refresh(wait)


def name(session: Session, wait: Wait, by: str) -> None:
    """Store who answered a pause, if that becomes known later than the answer."""
    session.execute(update(Wait).where(Wait.id == wait.id).values(decided_by=by))


def in_loop(wait: Wait) -> bool:
    """Whether a step in a loop's body waits; Airflow, which asks once a task, does not show it."""
    return wait.key is not None and wait.key.startswith(
        f"{wait.run_id}:{wait.node_id}:{wait.generation}["
    )


def answer(session: Session, wait: Wait, ending: Ending) -> bool:
    """End an open pause from outside of its task, and have the task woken.

    Returns:
        False if somebody else was first; nothing is changed then.
    """
    if not settle(session, wait, ending):
        return False
    if wait.kind in _ASKED and not in_loop(wait):
        jobs.enqueue(session, JobKind.ANSWER_WAIT, wait.id)
    return True


def show_as_running(session: Session, run_id: str) -> None:
    """Show a run whose pause has ended as running."""
    session.execute(
        update(Run).where(Run.id == run_id, Run.status.in_(PARKED)).values(status=RunStatus.RUNNING)
    )


def awaited_run(wait: Wait) -> str | None:
    """The run that a pause of kind ``child`` waits for; None if it waits for another DAG's run."""
    about = wait.question or {}
    return None if "dagId" in about else about.get("runId")


def awaited_call(wait: Wait) -> str | None:
    """The DagRun of another DAG that a pause of kind ``child`` waits for."""
    about = wait.question or {}
    return about.get("runId") if "dagId" in about else None


def lock_wait(session: Session, wait_id: str) -> Wait | None:
    """The pause, its row locked for this transaction."""
    return session.scalar(select(Wait).where(Wait.id == wait_id).with_for_update())


def open_wait_of(session: Session, run_id: str) -> Wait | None:
    """The open pause of a run, its row locked; None if it has none."""
    return session.scalar(
        select(Wait).where(Wait.run_id == run_id, Wait.status == WaitStatus.OPEN).with_for_update()
    )


def wait_of_node(session: Session, run_id: str, node_id: str, generation: int) -> Wait | None:
    """The newest pause of a node in a generation."""
    return session.scalar(
        select(Wait)
        .where(Wait.run_id == run_id, Wait.node_id == node_id, Wait.generation == generation)
        .order_by(Wait.number.desc())
        .limit(1)
    )


def find_token(session: Session, token_hash: str) -> tuple[str, str, str] | None:
    """Ids of the run, the wait and the approver that a callback token belongs to."""
    row = session.execute(
        select(Wait.run_id, Wait.id, Approver.id)
        .join(Approver, Approver.wait_id == Wait.id)
        .where(Approver.token_hash == token_hash)
    ).first()
    return (row[0], row[1], row[2]) if row else None


def vote(
    session: Session, approver: Approver, decision: Decision, at: datetime, reason: str | None
) -> bool:
    """Store the vote of an approver; False if they have voted before."""
    voted = session.scalar(
        update(Approver)
        .where(Approver.id == approver.id, Approver.used_at.is_(None))
        .values(used_at=at, decision=decision, reason=reason)
        .returning(Approver.id)
    )
    session.refresh(approver)
    return voted is not None


def approvers(session: Session, wait_id: str) -> list[Approver]:
    """Everybody asked in a decision."""
    return list(
        session.scalars(
            select(Approver).where(Approver.wait_id == wait_id).order_by(Approver.address)
        )
    )


def approvers_of(session: Session, wait_ids: Collection[str]) -> dict[str, list[Approver]]:
    """The same of several decisions, by their ids."""
    by_wait: dict[str, list[Approver]] = {wait_id: [] for wait_id in wait_ids}
    query = select(Approver).where(Approver.wait_id.in_(wait_ids)).order_by(Approver.address)
    for approver in session.scalars(query):
        by_wait[approver.wait_id].append(approver)
    return by_wait


def open_decisions(
    session: Session, workspace_id: str, run_id: str | None, limit: int
) -> Sequence[tuple[Wait, Run, str]]:
    """The decisions of a workspace, or of one run, that are open, with their automations' names."""
    query = (
        select(Wait, Run, Workflow.name)
        .join(Run, Run.id == Wait.run_id)
        .join(Workflow, Workflow.id == Run.workflow_id)
        .where(*_OPEN_DECISIONS, Run.workspace_id == workspace_id)
        .where(Wait.due_at > func.clock_timestamp())
        .order_by(Wait.created_at, Wait.id)
        .limit(limit)
    )
    if run_id is not None:
        query = query.where(Run.id == run_id)
    return [(wait, run, name) for wait, run, name in session.execute(query)]


def count_open_decisions(session: Session, workspace_id: str, at: datetime) -> int:
    """How many decisions of a workspace are open at a time."""
    query = (
        select(func.count())
        .select_from(Wait)
        .join(Run, Run.id == Wait.run_id)
        .where(*_OPEN_DECISIONS, Run.workspace_id == workspace_id, Wait.due_at > at)
    )
    return session.scalar(query) or 0
