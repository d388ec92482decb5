"""The audit log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from api_bridge.deps import Admin
from api_bridge.instants import Instant
from api_bridge.routing import Router
from api_bridge.views import audit as audit_views
from api_bridge.views import pagination
from automations.domain.audit import AuditFilter
from automations.services.audit import audit_logs

router = Router(prefix="/api/audit-logs", tags=["audit-logs"])


@router.get("")
def list_audit_logs(
    caller: Admin,
    actor: Annotated[str | None, Query(max_length=500, description="A name or an id.")] = None,
    action: Annotated[str | None, Query(max_length=100)] = None,
    resource_type: Annotated[str | None, Query(alias="resourceType", max_length=100)] = None,
    resource_id: Annotated[str | None, Query(alias="resourceId", max_length=500)] = None,
    since: Instant | None = None,
    until: Instant | None = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """List who did what, newest first."""
    wanted = AuditFilter(actor, action, resource_type, resource_id, since, until)
    found, following = audit_logs.behind(caller.workspace_id, wanted, cursor, limit)
    return {
        "auditLogs": [audit_views.audit_log(row) for row in found],
        "pagination": pagination.by_cursor(limit, following),
    }
