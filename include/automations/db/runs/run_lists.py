"""Lists runs across the automations of a workspace, and reads what the page of a run shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, lateral, select, true
from sqlalchemy.orm import Session

from automations.db.runs.run_queries import NEWEST_FIRST, SUMMARY, conditions, older_than
from automations.db.tables import Approver, Run, RunStep, Wait, Workflow
from automations.domain.runs import (
    ListedRun,
    PastPause,
    RunFilter,
    RunSummary,
    StepTime,
    Vote,
)

_WIDTH = len(SUMMARY)


def list_page(
    session: Session,
    workspace_id: str,
    workflow_id: str | None,
    criteria: RunFilter,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[ListedRun]:
    """The runs of a workspace, or of one automation of it, behind one; newest first.

    Args:
        workflow_id: None for those of all automations.
    """
    query = (
        select(*SUMMARY, Workflow.name, Run.version, Run.trigger_type)
        .join(Workflow, Workflow.id == Run.workflow_id)
        .where(Run.workspace_id == workspace_id, *conditions(workflow_id, criteria))
        .where(*older_than(after))
        .order_by(*NEWEST_FIRST)
        .limit(limit)
    )
    rows = map(tuple, session.execute(query))
    return [ListedRun(RunSummary(*row[:_WIDTH]), *row[_WIDTH:]) for row in rows]


def newest_of_each(
    session: Session, workflow_ids: Collection[str], limit: int
) -> Mapping[str, Sequence[RunSummary]]:
    """The newest runs of each of some automations, the newest first."""
    newest = lateral(
        select(*SUMMARY)
        .where(Run.workflow_id == Workflow.id)
        .order_by(*NEWEST_FIRST)
        .limit(limit)
        .correlate(Workflow)
    )
    query = select(*newest.c).select_from(Workflow).join(newest, true())
    by_workflow: dict[str, list[RunSummary]] = {}
    for row in session.execute(query.where(Workflow.id.in_(workflow_ids))):
        run = RunSummary(*row)
        by_workflow.setdefault(run.workflow_id, []).append(run)
    for runs in by_workflow.values():
        runs.sort(key=lambda run: run.started_at, reverse=True)
    return by_workflow


def find(session: Session, workspace_id: str, run_id: str) -> Run | None:
    """A run of a workspace, whichever automation's it is."""
    return session.scalar(select(Run).where(Run.id == run_id, Run.workspace_id == workspace_id))


def summary(session: Session, run_id: str) -> RunSummary | None:
    """A run as lists show it."""
    row = session.execute(select(*SUMMARY).where(Run.id == run_id)).first()
    return RunSummary(*row) if row else None


def times(session: Session, run_id: str) -> Sequence[StepTime]:
    """When the nodes of a run were at work, in the order in which they were begun."""
    query = (
        select(RunStep.node_id, RunStep.attempt, RunStep.started_at, RunStep.ended_at)
        .where(RunStep.run_id == run_id)
        .order_by(RunStep.started_at)
    )
    return [StepTime(*row) for row in session.execute(query)]


def pauses(session: Session, run_id: str, limit: int) -> Sequence[PastPause]:
    """What a run has waited for, the first one first."""
    query = (
        select(
            Wait.kind,
            Wait.node_id,
            Wait.status,
            Wait.decision,
            Wait.decided_by,
            Wait.created_at,
            Wait.due_at,
            Wait.decided_at,
            Wait.reason,
            Wait.override,
        )
        .where(Wait.run_id == run_id)
        .order_by(Wait.number)
        .limit(limit)
    )
    return [PastPause(**row._asdict()) for row in session.execute(query)]


def votes(session: Session, run_id: str, limit: int) -> Sequence[Vote]:
    """What those who were asked in a run have decided, the first one first."""
    query = (
        select(
            Wait.node_id,
            Approver.decision,
            Approver.address.label("by"),
            Approver.used_at.label("at"),
            Approver.reason,
        )
        .join(Wait, Wait.id == Approver.wait_id)
        .where(Wait.run_id == run_id, Approver.used_at.is_not(None))
        .order_by(Approver.used_at)
        .limit(limit)
    )
    return [Vote(**row._asdict()) for row in session.execute(query)]


def stamps(session: Session, run_ids: Collection[str]) -> Mapping[str, str]:
    """What changes whenever something of a run does, by the ids of runs."""
    steps = (
        select(
            func.concat(
                func.count(), "/", func.max(RunStep.started_at), "/", func.max(RunStep.ended_at)
            )
        )
        .where(RunStep.run_id == Run.id)
        .scalar_subquery()
    )
    waits = select(func.count()).where(Wait.run_id == Run.id).scalar_subquery()
    query = select(Run.id, func.concat(Run.status, "/", steps, "/", waits)).where(
        Run.id.in_(run_ids)
    )
    return {row[0]: row[1] for row in session.execute(query)}
