"""Submissions: they come in, are read and changed, and decided on."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api_bridge import links
from api_bridge.bodies import Edited
from api_bridge.deps import Member, Viewer
from api_bridge.endpoint_marks import changing
from api_bridge.paging import Behind, Cursor, Limit
from api_bridge.routing import Router
from api_bridge.views import forms as views
from automations.domain.statuses import SubmissionStatus
from automations.services.forms import submissions

router = Router(prefix="/api/submissions", tags=["forms"])


class NewSubmission(BaseModel):
    """A filled-in form."""

    model_config = ConfigDict(extra="forbid")

    formId: str  # noqa: N815 -- the platform's name
    data: dict[str, Any] = Field(description="Values by the fields' keys.")


class SubmissionChange(Edited):
    """New data for a submission."""

    data: dict[str, Any] = Field(description="All values by the fields' keys.")


@router.post("", status_code=201)
@changing
def submit(caller: Member, submission: NewSubmission) -> dict[str, Any]:
    """Submit a form; the automations that listen start in the background."""
    taken = submissions.submit(caller.workspace_id, submission.formId, submission.data)
    return views.submission(taken)


@router.get("")
def list_submissions(
    caller: Viewer,
    request: Request,
    response: Response,
    form_id: Annotated[str | None, Query(alias="formId", description="Only of this form.")] = None,
    status: Annotated[
        SubmissionStatus | None,
        Query(description="Only submissions of this status."),
    ] = None,
    limit: Limit = 20,
    cursor: Behind = None,
) -> list[dict[str, Any]]:
    """List submissions, newest first.

    The header `Link` (rel="next") has the next page's address, as long as there is one.
    """
    page, following = submissions.page_after(caller.workspace_id, form_id, status, cursor, limit)
    links.add_next(request, response, following, limit)
    return [views.submission(submission) for submission in page]


@router.get("/{submission_id}")
def get_submission(caller: Viewer, submission_id: str) -> dict[str, Any]:
    """Get one submission."""
    return views.submission(submissions.get(caller.workspace_id, submission_id))


@router.patch("/{submission_id}")
@changing
def change_submission(
    caller: Member, submission_id: str, change: SubmissionChange
) -> dict[str, Any]:
    """Replace the data of a pending submission; a snapshot keeps the previous data."""
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
    """List a submission's data before each of its changes, oldest first.

    The header `Link` (rel="next") has the next page's address, as long as there is one.
    """
    page, following = submissions.snapshots_after(caller.workspace_id, submission_id, cursor, limit)
    links.add_next(request, response, following, limit)
    return [views.snapshot(snapshot) for snapshot in page]


@router.post("/{submission_id}/approve")
def approve_submission(caller: Member, submission_id: str) -> dict[str, Any]:
    """Approve a submission, once."""
    return views.submission(submissions.approve(caller, submission_id))


@router.post("/{submission_id}/reject")
def reject_submission(caller: Member, submission_id: str) -> dict[str, Any]:
    """Reject a submission, once."""
    return views.submission(submissions.reject(caller, submission_id))
