"""Who has done what: the audit log."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import answers, queries
from api_bridge.console.queries import Text
from api_bridge.deps import Admin
from api_bridge.routing import Router
from automations.domain.audit import AuditFilter
from automations.services.audit import audit_logs

router = Router(prefix="/console/audit", tags=["audit-logs"])


@router.get("")
def show_list(
    request: Request,
    caller: Admin,
    actor: Text = "",
    action: Text = "",
    since: Text = "",
    cursor: Text = "",
) -> Response:
    """The lines of the audit log, newest first."""
    wanted = AuditFilter(
        actor=actor.strip() or None, action=action.strip() or None, since=queries.since(since)
    )
    found, following = audit_logs.page_after(
        caller.workspace_id, wanted, cursor or None, queries.PAGE_SIZE
    )
    return answers.page(
        request,
        "audit.html",
        caller,
        rows=found,
        actor=actor,
        action=action,
        since=since,
        periods=list(queries.PERIODS),
        following=queries.following(request, following),
        is_first=not cursor,
    )
