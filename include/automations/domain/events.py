"""Events, and the filters for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automations.domain.runs import RunSummary
from automations.domain.statuses import EventStatus
from automations.kit.values import JSON


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are asked for."""

    type: str | None = None
    status: EventStatus | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What has happened, to be recorded and matched to automations.

    Args:
        actors: identities of the people who made it happen, as far as they are known.
        cause: id of the run whose step made it happen, when one did.
        source: who sent it from outside; with the sender's own id, it is taken once.
        signature: of what was sent, when a repeat may come under another id.
        raw: the bytes that were sent, where they are kept.
    """

    kind: str
    trigger_key: str
    data: Mapping[str, Any]
    actors: Sequence[str] = ()
    cause: str | None = None
    source: str | None = None
    external_id: str | None = None
    signature: str | None = None
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, without its data.

    Args:
        reason: why it started nothing, or what came of it beside runs.
        cause_run_id: the run whose step made it happen, when one did.
    """

    id: str
    type: str
    status: EventStatus
    reason: str | None
    source: str | None
    external_id: str | None
    cause_run_id: str | None
    created_at: datetime
    matched_at: datetime | None


@dataclass(frozen=True, slots=True)
class EventDetail:
    """An event with its data and the runs that it has started."""

    event: Event
    data: Mapping[str, JSON]
    runs: Sequence[RunSummary]
