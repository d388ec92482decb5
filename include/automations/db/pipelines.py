"""Connections of pipelines and their runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db import keyset_pages
from automations.db.tables import PipelineConnection, PipelineRun
from automations.domain.statuses import SyncStatus
from automations.kit.ids import new_id


def list_all(session: Session, workspace_id: str) -> Sequence[PipelineConnection]:
    """All connections of a workspace, by name."""
    return session.scalars(
        select(PipelineConnection)
        .where(PipelineConnection.workspace_id == workspace_id)
        .order_by(PipelineConnection.name)
    ).all()


def page_after(
    session: Session, workspace_id: str, name: str | None, limit: int
) -> Sequence[PipelineConnection]:
    """The connections whose names come behind one, by name."""
    query = select(PipelineConnection).where(PipelineConnection.workspace_id == workspace_id)
    if name is not None:
        query = query.where(PipelineConnection.name > name)
    return session.scalars(query.order_by(PipelineConnection.name).limit(limit)).all()


def find(
    session: Session, workspace_id: str, connection_id: str, *, lock: str | None = None
) -> PipelineConnection | None:
    """A connection of a workspace.

    Args:
        lock: ``shape`` to change it, ``runs`` to sync while it stays as it is.
    """
    query = select(PipelineConnection).where(
        PipelineConnection.id == connection_id, PipelineConnection.workspace_id == workspace_id
    )
    if lock is not None:
        query = query.with_for_update(read=lock == "runs").execution_options(populate_existing=True)
    return session.scalar(query)


def find_by_name(session: Session, workspace_id: str, name: str) -> PipelineConnection | None:
    """The connection of a workspace with a name."""
    return session.scalar(
        select(PipelineConnection).where(
            PipelineConnection.workspace_id == workspace_id, PipelineConnection.name == name
        )
    )


def find_by_webhook(session: Session, token_hash: str) -> PipelineConnection | None:
    """The connection whose webhook's URL has a token with this hash."""
    return session.scalar(
        select(PipelineConnection).where(PipelineConnection.webhook_hash == token_hash)
    )


def begin_run(
    session: Session,
    connection: PipelineConnection,
    started_by: str,
    key: str | None,
    delivery_id: str | None = None,
) -> tuple[PipelineRun, bool]:
    """Insert a run; one of this delivery, or that runs with this key, is given with False."""
    query = (
        insert(PipelineRun)
        .values(
            id=new_id(),
            workspace_id=connection.workspace_id,
            connection_id=connection.id,
            started_by=started_by,
            key=key,
            delivery_id=delivery_id,
            tables=[],
            errors=[],
        )
        .on_conflict_do_nothing()
        .returning(PipelineRun)
    )
    running = and_(PipelineRun.key == (key or ""), PipelineRun.status == SyncStatus.RUNNING)
    delivered = PipelineRun.delivery_id == (delivery_id or "")
    unfinished = (
        select(PipelineRun)
        .where(PipelineRun.connection_id == connection.id, or_(delivered, running))
        .order_by(delivered.desc().nulls_last())
        .limit(1)
    )
    while True:
        if (run := session.scalar(query)) is not None:
            return run, True
        # The one that was in the way may have ended since.
        if (run := session.scalar(unfinished)) is not None:
            return run, False


def request_rerun(session: Session, run_id: str) -> bool:
    """Let another run follow one that still runs; False when it has ended."""
    pipeline_run_id = session.scalar(
        update(PipelineRun)
        .where(PipelineRun.id == run_id, PipelineRun.status == SyncStatus.RUNNING)
        .values(rerun_requested=True)
        .returning(PipelineRun.id)
    )
    return pipeline_run_id is not None


def find_run(
    session: Session, workspace_id: str, connection_id: str, run_id: str
) -> PipelineRun | None:
    """A run of a connection."""
    return session.scalar(
        select(PipelineRun).where(
            PipelineRun.id == run_id,
            PipelineRun.connection_id == connection_id,
            PipelineRun.workspace_id == workspace_id,
        )
    )


def lock_run(session: Session, run_id: str) -> PipelineRun | None:
    """A run that nobody else changes until this transaction ends."""
    return session.scalar(
        select(PipelineRun)
        .where(PipelineRun.id == run_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def end_run(session: Session, run: PipelineRun, status: SyncStatus, error: str | None) -> bool:
    """End a run; False when it has ended before."""
    ended = session.scalar(
        update(PipelineRun)
        .where(PipelineRun.id == run.id, PipelineRun.status == SyncStatus.RUNNING)
        .values(status=status, error=error, completed_at=func.clock_timestamp(), cursor=None)
        .returning(PipelineRun.id)
    )
    session.refresh(run)
    return ended is not None


def reset_cursors(session: Session, connection_id: str) -> None:
    """Let the runs of a connection begin with the first page again."""
    session.execute(
        update(PipelineRun)
        .where(PipelineRun.connection_id == connection_id, PipelineRun.status == SyncStatus.RUNNING)
        .values(cursor=None, pages=0, fence=PipelineRun.fence + 1)
    )


def runs_after(
    session: Session, connection_id: str, after: tuple[datetime, Any] | None, limit: int
) -> Sequence[PipelineRun]:
    """The runs of a connection that come behind one in a list with the newest first."""
    query = select(PipelineRun).where(PipelineRun.connection_id == connection_id)
    place = (PipelineRun.started_at, PipelineRun.id)
    return keyset_pages.page_after(session, query, place, after, limit)


def newest_of_each(session: Session, workspace_id: str) -> Sequence[PipelineRun]:
    """The newest run of each connection of a workspace that has any."""
    newest = (
        select(PipelineRun.id)
        .where(PipelineRun.connection_id == PipelineConnection.id)
        .order_by(PipelineRun.started_at.desc(), PipelineRun.id)
        .limit(1)
        .correlate(PipelineConnection)
        .scalar_subquery()
    )
    ids = select(newest).where(PipelineConnection.workspace_id == workspace_id)
    return session.scalars(select(PipelineRun).where(PipelineRun.id.in_(ids))).all()
