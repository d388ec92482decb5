"""Why did nothing run? Each event with what it matched, and why not."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import queries, responses
from api_bridge.console.form_data import Posted
from api_bridge.console.queries import Text
from api_bridge.console.views import words
from api_bridge.deps import Admin, Viewer
from api_bridge.routing import Router
from automations.domain.events import EventFilter
from automations.domain.statuses import EventStatus
from automations.services.events import events
from automations.services.workflows import overviews

ROOT = "/console/events"
router = Router(prefix=ROOT, tags=["events"])


@router.get("")
def show_list(
    request: Request,
    caller: Viewer,
    type: Text = "",  # noqa: A002 -- the input's name
    status: Text = "",
    since: Text = "",
    cursor: Text = "",
) -> Response:
    """What happened, newest first."""
    criteria = EventFilter(
        type.strip() or None,
        queries.choice(EventStatus, "status", status),
        queries.parse_since(since),
        None,
    )
    page, following = events.page_after(
        caller.workspace_id, criteria, cursor or None, queries.PAGE_SIZE
    )
    return responses.page(
        request,
        "events.html",
        caller,
        rows=page,
        type=type,
        status=status,
        since=since,
        statuses=list(EventStatus),
        event_types=words.EVENT_TYPES,
        periods=list(queries.PERIODS),
        following=queries.following(request, following),
        is_first=not cursor,
    )


@router.get("/{event_id}")
def show(request: Request, caller: Viewer, event_id: str) -> Response:
    """One event: what it brought, and the runs that it has started."""
    detail = events.get(caller.workspace_id, event_id)
    names = overviews.names(caller.workspace_id)
    return responses.page(
        request, "event.html", caller, found=detail, event=detail.event, names=names
    )


@router.post("/{event_id}/replay")
def replay(caller: Admin, event_id: str, form: Posted) -> Response:
    """Match an event again; it starts no automation twice."""
    events.replay(caller.workspace_id, event_id)
    return responses.redirect(f"{ROOT}/{event_id}", "event.replayed")
