"""Security events."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from api_bridge.deps import Admin
from api_bridge.instants import Instant
from api_bridge.paging import Cursor, Limit
from api_bridge.routing import Router
from api_bridge.views import audit as audit_views
from api_bridge.views import pagination
from automations.domain.audit import SecurityFilter
from automations.domain.statuses import Severity
from automations.services.audit import security_events

router = Router(prefix="/api/security-events", tags=["security-events"])


class SecurityEventQuery(BaseModel):
    """Which events are asked for."""

    type: str | None = Field(None, max_length=100)
    severity: Severity | None = None
    ip: str | None = Field(None, max_length=100)
    actor: str | None = Field(None, max_length=500)
    since: Instant | None = None
    until: Instant | None = None
    cursor: Cursor = None
    limit: Limit = 20

    def filter(self) -> SecurityFilter:
        """The same without which part of the list it is."""
        return SecurityFilter(self.type, self.severity, self.ip, self.actor, self.since, self.until)


@router.get("")
def list_security_events(
    caller: Admin, query: Annotated[SecurityEventQuery, Query()]
) -> dict[str, Any]:
    """List refusals, newest first; the default workspace has those that belong to none."""
    page, following = security_events.page_after(
        caller.workspace_id, query.filter(), query.cursor, query.limit
    )
    return {
        "securityEvents": [audit_views.security_event(event) for event in page],
        "pagination": pagination.by_cursor(query.limit, following),
    }
