"""Evidence: what was captured, whether its chain holds, and each snapshot as a file."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import queries, responses
from api_bridge.console.queries import Text
from api_bridge.deps import Viewer
from api_bridge.downloads import download
from api_bridge.endpoint_marks import slow
from api_bridge.routing import Router
from automations.domain.principals import Principal
from automations.errors import ValidationFailed
from automations.services.evidence import evidence
from automations.services.evidence.sources import ADMINS_ONLY, SOURCES
from automations.services.runs import browsing

ROOT = "/console/evidence"
router = Router(prefix=ROOT, tags=["evidence"])

_MAX_ROWS, _MAX_BYTES = 50, 2_000_000
_MAX_CHARACTERS = 300


@router.get("")
def show_list(request: Request, caller: Viewer, source: Text = "", cursor: Text = "") -> Response:
    """The snapshots, newest first."""
    return _list(request, caller, source, cursor)


@router.get("/verify")
@slow
def verify(request: Request, caller: Viewer) -> Response:
    """Recompute the whole chain, and show whether it holds."""
    return _list(request, caller, verified=(evidence.verify(caller.workspace_id),))


@router.get("/{snapshot_id}")
def show(request: Request, caller: Viewer, snapshot_id: str) -> Response:
    """One snapshot: how it is chained, and its first rows."""
    snapshot, content = evidence.get(caller, snapshot_id)
    return responses.page(
        request,
        "evidence_snapshot.html",
        caller,
        one=snapshot,
        query={name: value for name, value in snapshot.query.items() if value},
        rows=_first_rows(content),
        automation=browsing.automation_name(caller.workspace_id, snapshot.run_id),
        max_characters=_MAX_CHARACTERS,
    )


@router.get("/{snapshot_id}/download")
def load(caller: Viewer, snapshot_id: str) -> Response:
    """The content of a snapshot: the very bytes that its hash is of."""
    snapshot, content = evidence.get(caller, snapshot_id)
    return download(f"evidence-{snapshot.number}.json", content, "application/json")


def _list(
    request: Request,
    caller: Principal,
    source: str = "",
    cursor: str = "",
    verified: tuple[evidence.Verification] | None = None,
) -> Response:
    if source and source not in SOURCES:
        raise ValidationFailed({"source": [f"must be one of {', '.join(SOURCES)}"]})
    page, following = evidence.page_after(
        caller.workspace_id, source or None, cursor or None, queries.PAGE_SIZE
    )
    return responses.page(
        request,
        "evidence.html",
        caller,
        rows=page,
        source=source,
        sources=list(SOURCES),
        kept_from=() if caller.administers else ADMINS_ONLY,
        verified=verified,
        following=queries.following(request, following),
        is_first=not cursor,
    )


def _first_rows(content: bytes) -> list[dict[str, Any]] | None:
    """The first rows of a content; None where it is too large to be shown beside its download."""
    if len(content) > _MAX_BYTES:
        return None
    rows: list[dict[str, Any]] = json.loads(content)[:_MAX_ROWS]
    return rows
