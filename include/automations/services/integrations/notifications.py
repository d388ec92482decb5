"""Notifications: messages to members, and which of them they have read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automations.db import notifications
from automations.db.access import members
from automations.db.runs.effects import once
from automations.db.session import Session, unit_of_work
from automations.db.tables import Notification as NotificationRow
from automations.domain.principals import Principal
from automations.errors import NotAllowed, NotFound, StepError
from automations.kit.values import from_attributes
from automations.ports import Notice, NoticeReceipt

_TYPE = "AUTOMATION"


@dataclass(frozen=True, slots=True)
class Notification:
    """What a user was told, and when they read it."""

    id: str
    type: str
    title: str
    message: str
    link: str | None
    read_at: datetime | None
    created_at: datetime


def reader(by: Principal, user_id: str | None) -> str:
    """Whose notifications a member, or the holder of an API key, sees.

    Their own, or its member's. A key that belongs to no member sees those addressed to itself, or
    those of the member that it names, when its role is ADMIN or above.
    """
    if user_id is None or user_id == by.member_id:
        return by.member_id or str(by.key_id)
    if by.member_id is not None or not by.administers:
        raise NotAllowed("userId needs an API key of role ADMIN that belongs to no member.")
    with unit_of_work() as session:
        if members.find(session, by.workspace_id, user_id) is None:
            raise NotFound(f"There is no member {user_id}.")
    return user_id


def page(
    workspace_id: str, user_id: str, *, unread_only: bool, number: int, size: int
) -> tuple[Sequence[Notification], int]:
    """One page of a user's notifications, newest first, and how many there are."""
    with unit_of_work() as session:
        rows, total = notifications.page(
            session,
            workspace_id,
            user_id,
            unread_only=unread_only,
            offset=(number - 1) * size,
            limit=size,
        )
    return [from_attributes(Notification, row) for row in rows], total


def mark(workspace_id: str, user_id: str, notification_id: str, *, read: bool) -> Notification:
    """Mark one notification as read or unread."""
    with unit_of_work() as session:
        row = notifications.mark(session, workspace_id, user_id, notification_id, read=read)
        if row is None:
            raise NotFound(f"There is no notification {notification_id}.")
        return from_attributes(Notification, row)


def mark_all(workspace_id: str, user_id: str) -> int:
    """Mark everything as read; how many there were."""
    with unit_of_work() as session:
        return notifications.mark_all(session, workspace_id, user_id)


def delete(workspace_id: str, user_id: str, notification_id: str) -> None:
    """Delete one notification."""
    with unit_of_work() as session:
        if not notifications.remove(session, workspace_id, user_id, notification_id):
            raise NotFound(f"There is no notification {notification_id}.")


class WorkspaceNotifier:
    """Tells the members of a workspace; one transaction with the record that they were told."""

    def notify(self, notice: Notice) -> NoticeReceipt:
        with unit_of_work() as session:
            receipt = once(session, notice.key, lambda: _tell(session, notice))
        return NoticeReceipt(tuple(receipt["notificationIds"]), tuple(receipt["userIds"]))


def _tell(session: Session, notice: Notice) -> dict[str, Any]:
    users = _users(session, notice)
    rows = [
        NotificationRow(
            workspace_id=notice.workspace_id,
            user_id=user,
            type=_TYPE,
            title=notice.title,
            message=notice.message,
            link=notice.link,
        )
        for user in users
    ]
    session.add_all(rows)
    session.flush()
    return {"notificationIds": [row.id for row in rows], "userIds": users}


def _users(session: Session, notice: Notice) -> list[str]:
    if notice.user_ids is None:
        owners = members.automation_owners(session, notice.workspace_id, notice.workflow_id)
        if not owners:
            raise StepError(
                "userIds: the automation has no owner to tell: its API key belongs to no member, "
                "and no member of the workspace is OWNER; name the users",
                kind="config",
            )
        return owners
    user_ids = list(dict.fromkeys(notice.user_ids))
    unknown = set(user_ids) - members.lock_existing(session, notice.workspace_id, user_ids)
    if unknown:
        named = ", ".join(sorted(unknown))
        raise StepError(f"userIds: no member of the workspace has the id {named}", kind="config")
    return user_ids
