"""The notifications of members."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from automations.db.tables import Notification


def _query_of(workspace_id: str, user_id: str) -> Select[Notification]:
    return select(Notification).where(
        Notification.workspace_id == workspace_id, Notification.user_id == user_id
    )


def page(
    session: Session, workspace_id: str, user_id: str, *, unread_only: bool, offset: int, limit: int
) -> tuple[Sequence[Notification], int]:
    """A user's notifications from an offset on, newest first, and how many there are."""
    query = _query_of(workspace_id, user_id)
    if unread_only:
        query = query.where(Notification.read_at.is_(None))
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    newest = query.order_by(Notification.created_at.desc(), Notification.id)
    return session.scalars(newest.offset(offset).limit(limit)).all(), total


def mark(
    session: Session, workspace_id: str, user_id: str, notification_id: str, *, read: bool
) -> Notification | None:
    """Mark one notification of a user; one that is read keeps the moment it was read."""
    query = _query_of(workspace_id, user_id).where(Notification.id == notification_id)
    notification = session.scalar(query.with_for_update())
    if notification is not None:
        now = session.scalar(select(func.clock_timestamp()))
        notification.read_at = (notification.read_at or now) if read else None
    return notification


def mark_all(session: Session, workspace_id: str, user_id: str) -> int:
    """Mark everything that a user has not read; how many there were."""
    marked = session.scalars(
        update(Notification)
        .where(
            Notification.workspace_id == workspace_id,
            Notification.user_id == user_id,
            Notification.read_at.is_(None),
        )
        .values(read_at=func.clock_timestamp())
        .returning(Notification.id)
    )
    return len(marked.all())


def remove(session: Session, workspace_id: str, user_id: str, notification_id: str) -> bool:
    """Delete one notification of a user; False when it is not there."""
    deleted_id = session.scalar(
        delete(Notification)
        .where(
            Notification.workspace_id == workspace_id,
            Notification.user_id == user_id,
            Notification.id == notification_id,
        )
        .returning(Notification.id)
    )
    return deleted_id is not None
