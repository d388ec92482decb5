"""Lines of the audit log and security events, and the filters for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from automations.domain.statuses import Severity
from automations.kit.values import JSON


@dataclass(frozen=True, slots=True)
class AuditLog:
    """A line of the audit log: who did what, from where."""

    id: int
    at: datetime
    actor_type: str
    actor: str
    actor_id: str | None
    action: str
    resource_type: str
    resource_id: str
    ip: str | None
    request_id: str | None
    details: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which lines of the audit log are asked for.

    Args:
        actor: a name or an id.
        until: the first instant that is no longer asked for.
    """

    actor: str | None = None
    action: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """What was noticed, and how often, when it was too often to be told one by one."""

    id: str
    at: datetime
    type: str
    severity: Severity
    actor: str
    ip: str | None
    request_id: str | None
    details: Mapping[str, JSON]
    count: int


@dataclass(frozen=True, slots=True)
class SecurityFilter:
    """Which security events are asked for."""

    type: str | None = None
    severity: Severity | None = None
    ip: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
