"""The stored chains of evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Integer, func, select
from sqlalchemy.orm import Session, undefer

from automations.db.tables import AuditLog, EvidenceSnapshot, Workspace

CAPTURED = "evidence.capture"


def lock_chain(session: Session, workspace_id: str) -> EvidenceSnapshot | None:
    """The last snapshot of a workspace; nobody else adds one until the transaction ends."""
    key = func.hashtextextended(f"evidence:{workspace_id}", 0)
    session.execute(select(func.pg_advisory_xact_lock(key)))
    return session.scalar(
        select(EvidenceSnapshot)
        .where(EvidenceSnapshot.workspace_id == workspace_id)
        .order_by(EvidenceSnapshot.number.desc())
        .limit(1)
    )


def page_after(
    session: Session, workspace_id: str, source: str | None, before: int | None, limit: int
) -> Sequence[EvidenceSnapshot]:
    """The snapshots before a number, without their contents, newest first."""
    query = select(EvidenceSnapshot).where(EvidenceSnapshot.workspace_id == workspace_id)
    if source is not None:
        query = query.where(EvidenceSnapshot.source == source)
    if before is not None:
        query = query.where(EvidenceSnapshot.number < before)
    return session.scalars(query.order_by(EvidenceSnapshot.number.desc()).limit(limit)).all()


def find(session: Session, workspace_id: str, snapshot_id: str) -> EvidenceSnapshot | None:
    """A snapshot with its content."""
    return session.scalar(
        select(EvidenceSnapshot)
        .where(EvidenceSnapshot.id == snapshot_id, EvidenceSnapshot.workspace_id == workspace_id)
        .options(undefer(EvidenceSnapshot.content))
    )


def chain(session: Session, workspace_id: str) -> Iterator[EvidenceSnapshot]:
    """The whole chain in its order, one content in memory at a time."""
    query = (
        select(EvidenceSnapshot)
        .where(EvidenceSnapshot.workspace_id == workspace_id)
        .order_by(EvidenceSnapshot.number)
        .options(undefer(EvidenceSnapshot.content))
        .execution_options(yield_per=1)
    )
    for snapshot in session.scalars(query):
        yield snapshot
        session.expunge(snapshot)


def last_recorded(session: Session, workspace_id: str) -> int:
    """The highest number that the audit log knows of: the end of a chain has no next link."""
    number: Any = AuditLog.details["number"].astext.cast(Integer)
    last = session.scalar(
        select(func.max(number)).where(
            AuditLog.workspace_id == workspace_id, AuditLog.action == CAPTURED
        )
    )
    return last or 0


def workspaces(session: Session) -> Sequence[Workspace]:
    """Every workspace, by slug."""
    return session.scalars(select(Workspace).order_by(Workspace.slug)).all()
