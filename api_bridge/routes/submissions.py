"""What happens to submissions after they came in: changes and the decision."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from pydantic import Field

from api_bridge import links
from api_bridge.bodies import Edited
from api_bridge.deps import Member, Viewer
from api_bridge.natures import changing
from api_bridge.paging import Cursor, Limit
from api_bridge.routing import Router
from api_bridge.views import forms as views
from automations.services.forms import submissions

router = Router(prefix="/api/submissions", tags=["forms"])


class SubmissionChange(Edited):
    """What a submission is to hold."""

    data: dict[str, Any] = Field(description="All values by the fields' keys.")


@router.patch("/{submission_id}")
@changing
def change_submission(
    caller: Member, submission_id: str, change: SubmissionChange
) -> dict[str, Any]:
    """Replace the data of a pending submission; what it held is kept as a snapshot."""
    change = change.as_shown(views.submission(submissions.get(caller.workspace_id, submission_id)))
    return views.submission(submissions.change(caller, submission_id, change.data))


@router.get("/{submission_id}/snapshots")
def list_snapshots(
    caller: Viewer,
    request: Request,
    response: Response,
    submission_id: str,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> list[dict[str, Any]]:
    """List what a submission held before each of its changes, the oldest first.

    The header `Link` (rel="next") has the next page's address, as long as there is one.
    """
    found, following = submissions.snapshots_after(
        caller.workspace_id, submission_id, cursor, limit
    )
    links.lead_on(request, response, following, limit)
    return [views.snapshot(snapshot) for snapshot in found]


@router.post("/{submission_id}/approve")
def approve_submission(caller: Member, submission_id: str) -> dict[str, Any]:
    """Approve a submission, once."""
    return views.submission(submissions.approve(caller, submission_id))


@router.post("/{submission_id}/reject")
def reject_submission(caller: Member, submission_id: str) -> dict[str, Any]:
    """Reject a submission, once."""
    return views.submission(submissions.reject(caller, submission_id))
