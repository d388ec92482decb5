"""Events, as the API answers with them."""

from __future__ import annotations

from typing import Literal, TypeAlias

# The description of the API is made from these, by pydantic: it reads typing's own TypedDict only
# from Python 3.12 on.
from typing_extensions import TypedDict

from automations_client.shapes.json_values import Json
from automations_client.shapes.runs import StartedElsewhere

EventStatus: TypeAlias = Literal["PENDING", "MATCHED", "SKIPPED"]


class TakenEvent(TypedDict):
    """An event that was accepted; ``duplicate`` if it had been accepted before."""

    id: str
    duplicate: bool


class Event(TypedDict):
    """An event; ``reason`` says why it started nothing."""

    id: str
    type: str
    status: EventStatus
    reason: str | None
    source: str | None
    externalId: str | None
    causeRunId: str | None
    createdAt: str
    matchedAt: str | None


class EventDetail(Event):
    """An event with its data and the runs that it started."""

    data: Json
    runs: list[StartedElsewhere]
