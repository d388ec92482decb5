"""Who has done what: the audit log."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import queries, responses
from api_bridge.console.queries import Text
from api_bridge.deps import Admin
from api_bridge.endpoint_marks import slow
from api_bridge.routing import Router
from api_bridge.views import audit as audit_views
from api_bridge.views import pagination
from automations.domain.audit import AuditFilter, AuditLog
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
    criteria = _filter(actor, action, since)
    page, following = audit_logs.page_after(
        caller.workspace_id, criteria, cursor or None, queries.PAGE_SIZE
    )
    return responses.page(
        request,
        "audit.html",
        caller,
        rows=page,
        actor=actor,
        action=action,
        since=since,
        periods=list(queries.PERIODS),
        following=queries.following(request, following),
        export=queries.export_url(request, "export"),
        is_first=not cursor,
    )


@router.get("/export")
@slow
def export(caller: Admin, actor: Text = "", action: Text = "", since: Text = "") -> Response:
    """The same as a file, as the API answers it."""
    criteria = _filter(actor, action, since)

    def page_after(cursor: str | None, size: int) -> tuple[Sequence[AuditLog], str | None]:
        return audit_logs.page_after(caller.workspace_id, criteria, cursor, size)

    lines, following = queries.whole(page_after)
    content = {
        "auditLogs": [audit_views.audit_log(line) for line in lines],
        "pagination": pagination.by_cursor(len(lines), following),
    }
    return responses.as_file("audit-log.json", content)


def _filter(actor: str, action: str, since: str) -> AuditFilter:
    return AuditFilter(
        actor=actor.strip() or None, action=action.strip() or None, since=queries.parse_since(since)
    )
