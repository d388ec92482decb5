"""What the reader was told by automations."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from api_bridge.console import queries, responses
from api_bridge.console.form_data import Posted
from api_bridge.deps import Viewer
from api_bridge.routing import Router
from automations.services.integrations import notifications

ROOT = "/console/notifications"
router = Router(prefix=ROOT, tags=["notifications"])

_MAX_PAGE = 10_000


@router.get("")
def show_list(
    request: Request, caller: Viewer, page: Annotated[int, Query(ge=1, le=_MAX_PAGE)] = 1
) -> Response:
    """The reader's notifications, newest first."""
    reader = notifications.reader(caller, None)
    page_notifications, total = notifications.page(
        caller.workspace_id, reader, unread_only=False, number=page, size=queries.PAGE_SIZE
    )
    return responses.page(
        request,
        "notifications.html",
        caller,
        rows=page_notifications,
        unread=any(notification.read_at is None for notification in page_notifications),
        page=page,
        pages=-(-total // queries.PAGE_SIZE),
    )


@router.post("/read")
def read_all(caller: Viewer, form: Posted) -> Response:
    """Mark all of them as read."""
    notifications.mark_all(caller.workspace_id, notifications.reader(caller, None))
    return responses.redirect(ROOT, "notifications.read")


@router.post("/{notification_id}/read")
def read(caller: Viewer, notification_id: str, form: Posted) -> Response:
    """Mark one as read."""
    reader = notifications.reader(caller, None)
    notifications.mark(caller.workspace_id, reader, notification_id, read=True)
    return responses.redirect(ROOT)
