"""Events: what happened and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from automations_client.errors import json_of
from automations_client.pages import Page, page_of, through
from automations_client.shapes import Event, EventDetail, EventStatus, TakenEvent
from automations_client.transport import Content, Transport, address

_ONE, _BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


class Events:
    """``/api/events``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(self, event: Mapping[str, Any]) -> TakenEvent:
        """Send a CloudEvent; the same source and id are taken once."""
        headers = {"Content-Type": _ONE}
        answer = self._transport.send(
            "POST", address("events"), Content(body=event, headers=headers)
        )
        return cast(TakenEvent, json_of(answer))

    def send_many(self, events: Sequence[Mapping[str, Any]]) -> list[TakenEvent]:
        """Send CloudEvents (1,000 at most), all or none."""
        headers = {"Content-Type": _BATCH}
        answer = self._transport.send(
            "POST", address("events"), Content(body=events, headers=headers)
        )
        return cast(list[TakenEvent], json_of(answer))

    def iterate(
        self,
        page_size: int = 100,
        *,
        kind: str | None = None,
        status: EventStatus | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Event]:
        """All events that fit, newest first.

        Args:
            kind: only events of this type.
        """
        criteria = {"type": kind, "status": status, "since": since, "until": until}

        def page_after(cursor: str | None) -> Page[Event]:
            query = {**criteria, "limit": page_size, "cursor": cursor}
            return page_of("events", self._transport.json("GET", address("events"), query=query))

        return through(page_after)

    def get(self, event_id: str) -> EventDetail:
        """An event with its data and the runs that it has started."""
        return cast(EventDetail, self._transport.json("GET", address("events", event_id)))

    def replay(self, event_id: str) -> Event:
        """Match an event once more; no automation is started twice by it."""
        return cast(Event, self._transport.json("POST", address("events", event_id, "replay")))
