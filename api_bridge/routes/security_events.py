"""Security events."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from api_bridge.deps import Admin
from api_bridge.instants import Instant
from api_bridge.routing import Router
from api_bridge.views import audit as audit_views
from api_bridge.views import pagination
from automations.domain.audit import SecurityFilter
from automations.domain.statuses import Severity
from automations.services.audit import security_events

router = Router(prefix="/api/security-events", tags=["security-events"])


@router.get("")
def list_security_events(
    caller: Admin,
    type_: Annotated[str | None, Query(alias="type", max_length=100)] = None,
    severity: Severity | None = None,
    ip: Annotated[str | None, Query(max_length=100)] = None,
    actor: Annotated[str | None, Query(max_length=500)] = None,
    since: Instant | None = None,
    until: Instant | None = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """List what was refused, newest first; those of no workspace are for the default one."""
    wanted = SecurityFilter(type_, severity, ip, actor, since, until)
    found, following = security_events.behind(caller.workspace_id, wanted, cursor, limit)
    return {
        "securityEvents": [audit_views.security_event(row) for row in found],
        "pagination": pagination.by_cursor(limit, following),
    }
