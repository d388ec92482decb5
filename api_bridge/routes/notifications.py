"""What the caller was told: the notifications of the member that the API key belongs to.

A key that belongs to no member has a list of its own; with role ADMIN or above it may name a
member by ``userId``.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query, Response
from pydantic import Field, StrictBool

from api_bridge.bodies import Body
from api_bridge.deps import Viewer
from api_bridge.paging import Limit, PageNumber
from api_bridge.routing import Router
from api_bridge.views import pagination
from api_bridge.views import people as people_views
from automations.services.integrations import notifications

router = Router(prefix="/api/notifications", tags=["notifications"])


class Mark(Body):
    """How to mark a notification."""

    read: StrictBool = Field(True, description="false makes it unread again.")


def _reader(caller: Viewer, user_id: Annotated[str | None, Query(alias="userId")] = None) -> str:
    return notifications.reader(caller, user_id)


Reader = Annotated[str, Depends(_reader)]


@router.get("")
def list_notifications(
    caller: Viewer,
    reader: Reader,
    unread_only: Annotated[bool, Query(alias="unreadOnly")] = False,
    page: PageNumber = 1,
    limit: Limit = 20,
) -> dict[str, Any]:
    """List the caller's notifications, newest first."""
    items, total = notifications.page(
        caller.workspace_id, reader, unread_only=unread_only, number=page, size=limit
    )
    return {
        "notifications": [people_views.notification(notification) for notification in items],
        "pagination": pagination.by_limit(page, limit, total),
    }


@router.post("/mark-all-read")
@router.patch("/mark-all-read")
def mark_all_read(caller: Viewer, reader: Reader) -> dict[str, int]:
    """Mark all of the caller's notifications as read."""
    return {"updated": notifications.mark_all(caller.workspace_id, reader)}


@router.patch("/{notification_id}")
def mark_read(
    caller: Viewer, reader: Reader, notification_id: str, mark: Mark | None = None
) -> dict[str, Any]:
    """Mark a notification as read."""
    read = True if mark is None else mark.read
    marked = notifications.mark(caller.workspace_id, reader, notification_id, read=read)
    return people_views.notification(marked)


@router.delete("/{notification_id}", status_code=204)
def delete_notification(caller: Viewer, reader: Reader, notification_id: str) -> Response:
    """Delete a notification."""
    notifications.delete(caller.workspace_id, reader, notification_id)
    return Response(status_code=204)
