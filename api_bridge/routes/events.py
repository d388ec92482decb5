"""Events: what happened and what came of it; CloudEvents are taken here."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request

from api_bridge import cloud_events
from api_bridge.deps import Admin, Member, Viewer
from api_bridge.instants import Instant
from api_bridge.paging import Cursor, Limit
from api_bridge.routing import Router
from api_bridge.server.threads import in_thread
from api_bridge.views import events as views
from api_bridge.views import pagination
from automations.domain.events import EventFilter
from automations.domain.principals import Principal
from automations.domain.statuses import EventStatus
from automations.kit.form_bodies import media_type
from automations.services.events import events

router = Router(prefix="/api/events", tags=["events"])

_SCHEMA = {"$ref": "#/components/schemas/CloudEvent"}


@router.post(
    "",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                cloud_events.ONE: {"schema": _SCHEMA},
                cloud_events.BATCH: {
                    "schema": {
                        "type": "array",
                        "items": _SCHEMA,
                        "maxItems": cloud_events.MAX_BATCH,
                    }
                },
                "application/json": {"schema": {}},
                "*/*": {"schema": {"type": "string"}},
            },
        }
    },
)
async def take_events(caller: Member, request: Request) -> Any:
    """Accept a CloudEvent (structured or binary mode) or a batch, each event once."""
    return await in_thread(_take, caller, request, await request.body())


def _take(caller: Principal, request: Request, body: bytes) -> Any:
    sent = cloud_events.read(request.headers, body)
    taken = events.take(caller.workspace_id, sent)
    answers = [{"id": receipt.event_id, "duplicate": receipt.duplicate} for receipt in taken]
    is_batch = media_type(request.headers.get("content-type", "")) == cloud_events.BATCH
    return answers if is_batch else answers[0]


@router.get("")
def list_events(
    caller: Viewer,
    type_: Annotated[str | None, Query(alias="type", max_length=200)] = None,
    status: EventStatus | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> dict[str, Any]:
    """List events, newest first, each with the reason if it started nothing."""
    criteria = EventFilter(type_, status, since, until)
    page, following = events.page_after(caller.workspace_id, criteria, cursor, limit)
    return {
        "events": [views.event(event) for event in page],
        "pagination": pagination.by_cursor(limit, following),
    }


@router.get("/{event_id}")
def get_event(caller: Viewer, event_id: str) -> dict[str, Any]:
    """Get an event with its data and the runs that it started."""
    return views.event_detail(events.get(caller.workspace_id, event_id))


@router.post("/{event_id}/replay", status_code=202)
def replay_event(caller: Admin, event_id: str) -> dict[str, Any]:
    """Match an event again; it starts no automation twice."""
    return views.event(events.replay(caller.workspace_id, event_id))
