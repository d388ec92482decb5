"""Events: what happened and what came of it; CloudEvents are taken here."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from fastapi import HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from api_bridge.bodies import json_of
from api_bridge.deps import Admin, Member, Viewer
from api_bridge.instants import Instant
from api_bridge.paging import Cursor, Limit
from api_bridge.routing import Router
from api_bridge.threads import in_thread
from api_bridge.views import events as views
from api_bridge.views import pagination
from automations.definitions.field_errors import field_errors
from automations.domain.events import EventFilter
from automations.domain.principals import Principal
from automations.domain.statuses import EventStatus
from automations.errors import ValidationFailed
from automations.services.events import events
from automations.services.events.events import Sent

router = Router(prefix="/api/events", tags=["events"])

_ONE, _BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
_MAX_BATCH = 1_000
"""Events that are taken in one transaction."""
_SCHEMA = {"$ref": "#/components/schemas/CloudEvent"}


class CloudEvent(BaseModel):
    """A CloudEvent, version 1.0; attributes beyond these are extensions and kept."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    # Both are in one index, whose entries have a limit.
    id: str = Field(min_length=1, max_length=300)
    source: str = Field(min_length=1, max_length=1_000, pattern=r"^[!-~]+$")
    type: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_.:/-]{2,199}$")
    subject: str | None = Field(None, max_length=500)
    time: Instant | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    data: Any = None
    data_base64: str | None = None

    def sent(self) -> Sent:
        """The event as the inbox takes it: its data, and the event's attributes beside it."""
        attributes = self.model_dump(
            mode="json", exclude={"data", "data_base64"}, exclude_none=True
        )
        data = dict(self.data) if isinstance(self.data, dict) else {"data": self._content()}
        return Sent(
            type=self.type,
            source=self.source,
            external_id=self.id,
            data={**data, "cloudEvent": attributes},
        )

    def _content(self) -> Any:
        if self.data_base64 is None:
            return self.data
        try:
            base64.b64decode(self.data_base64, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValidationFailed({"data_base64": ["must be base64"]}) from error
        return self.data_base64


_EVENT: TypeAdapter[CloudEvent] = TypeAdapter(CloudEvent)
_EVENTS: TypeAdapter[list[CloudEvent]] = TypeAdapter(
    Annotated[list[CloudEvent], Field(max_length=_MAX_BATCH)]
)


@router.post(
    "",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                _ONE: {"schema": _SCHEMA},
                _BATCH: {"schema": {"type": "array", "items": _SCHEMA, "maxItems": _MAX_BATCH}},
                "application/json": {"schema": {}},
            },
        }
    },
)
async def take_events(caller: Member, request: Request) -> Any:
    """Take a CloudEvent (structured or binary mode) or a batch; each is taken once."""
    return await in_thread(_take, caller, request, await request.body())


def _take(caller: Principal, request: Request, body: bytes) -> Any:
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind == _BATCH:
        parsed = _parsed(_EVENTS, json_of(body, given))
    elif kind == _ONE:
        parsed = [_parsed(_EVENT, json_of(body, given))]
    elif kind == "application/json" and "ce-id" in request.headers:
        parsed = [
            _parsed(_EVENT, {**_attributes(request), "data": json_of(body or b"null", given)})
        ]
    else:
        raise HTTPException(
            415, f"Send {_ONE}, {_BATCH}, or application/json with the ce- headers."
        )
    taken = events.take(caller.workspace_id, [event.sent() for event in parsed])
    answers = [{"id": one.event_id, "duplicate": one.duplicate} for one in taken]
    return answers if kind == _BATCH else answers[0]


def _attributes(request: Request) -> dict[str, Any]:
    return {
        name.removeprefix("ce-"): value
        for name, value in request.headers.items()
        if name.startswith("ce-")
    }


def _parsed(adapter: TypeAdapter[Any], value: Any) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise ValidationFailed(field_errors(error, value)) from error


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
    """List events, newest first, each with why it started nothing when it did not."""
    wanted = EventFilter(type_, status, since, until)
    found, following = events.behind(caller.workspace_id, wanted, cursor, limit)
    return {
        "events": [views.event(event) for event in found],
        "pagination": pagination.by_cursor(limit, following),
    }


@router.get("/{event_id}")
def get_event(caller: Viewer, event_id: str) -> dict[str, Any]:
    """Get an event with its data and the runs that it has started."""
    return views.event_detail(events.get(caller.workspace_id, event_id))


@router.post("/{event_id}/replay", status_code=202)
def replay_event(caller: Admin, event_id: str) -> dict[str, Any]:
    """Match an event once more; no automation is started twice by it."""
    return views.event(events.replay(caller.workspace_id, event_id))
