"""Evidence: snapshots in a chain that anybody may verify."""

from __future__ import annotations

from typing import Any, Literal

from api_bridge.deps import Viewer
from api_bridge.endpoint_marks import slow
from api_bridge.paging import Cursor, Limit
from api_bridge.routing import Router
from api_bridge.views import audit as audit_views
from api_bridge.views import pagination
from automations.services.evidence import evidence

router = Router(prefix="/api/evidence", tags=["evidence"])

Source = Literal["TABLE_ROWS", "AUDIT_LOGS", "SECURITY_EVENTS", "ORG_MEMBERS"]


@router.get("")
def list_evidence(
    caller: Viewer,
    source: Source | None = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> dict[str, Any]:
    """List the snapshots without their contents, newest first."""
    page, following = evidence.page_after(caller.workspace_id, source, cursor, limit)
    return {
        "evidence": [audit_views.evidence(snapshot) for snapshot in page],
        "pagination": pagination.by_cursor(limit, following),
    }


@router.get("/verify")
@slow
def verify_evidence(caller: Viewer) -> dict[str, Any]:
    """Recompute the whole chain, and name its first broken link."""
    return audit_views.verification(evidence.verify(caller.workspace_id))


@router.get("/{snapshot_id}")
def get_evidence(caller: Viewer, snapshot_id: str) -> dict[str, Any]:
    """Get a snapshot; its content is exactly the text that sha256 covers (UTF-8).

    That of AUDIT_LOGS and SECURITY_EVENTS needs the role ADMIN.
    """
    snapshot, content = evidence.get(caller, snapshot_id)
    return {**audit_views.evidence(snapshot), "content": content.decode()}
