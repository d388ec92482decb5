"""The audit log."""

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
from automations.domain.audit import AuditFilter
from automations.services.audit import audit_logs

router = Router(prefix="/api/audit-logs", tags=["audit-logs"])


class AuditLogQuery(BaseModel):
    """Which lines are asked for."""

    actor: str | None = Field(None, max_length=500, description="A name or an id.")
    action: str | None = Field(None, max_length=100)
    resource_type: str | None = Field(None, alias="resourceType", max_length=100)
    resource_id: str | None = Field(None, alias="resourceId", max_length=500)
    since: Instant | None = None
    until: Instant | None = None
    cursor: Cursor = None
    limit: Limit = 20

    def filter(self) -> AuditFilter:
        """The same without which part of the list it is."""
        return AuditFilter(
            self.actor, self.action, self.resource_type, self.resource_id, self.since, self.until
        )


@router.get("")
def list_audit_logs(caller: Admin, query: Annotated[AuditLogQuery, Query()]) -> dict[str, Any]:
    """List who did what, newest first."""
    page, following = audit_logs.page_after(
        caller.workspace_id, query.filter(), query.cursor, query.limit
    )
    return {
        "auditLogs": [audit_views.audit_log(line) for line in page],
        "pagination": pagination.by_cursor(query.limit, following),
    }
