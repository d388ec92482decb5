"""What people have filled into forms, and deciding on it."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import addresses, answers, queries
from api_bridge.console.posted import Posted, text
from api_bridge.console.queries import Text
from api_bridge.deps import Member, Viewer
from api_bridge.routing import Router
from automations.domain.statuses import DECISIONS, Decision, SubmissionStatus
from automations.errors import ValidationFailed
from automations.services.forms import forms, submissions

ROOT = "/console/submissions"
router = Router(prefix=ROOT, tags=["forms"])


@router.get("")
def show_list(
    request: Request, caller: Viewer, form: Text = "", status: Text = "", cursor: Text = ""
) -> Response:
    """Submissions of all forms, newest first."""
    wanted = queries.choice(SubmissionStatus, "status", status)
    found, following = forms.submissions_after(
        caller.workspace_id, form or None, wanted, cursor or None, queries.PAGE_SIZE
    )
    return answers.page(
        request,
        "submissions.html",
        caller,
        rows=found,
        form=form,
        status=status,
        titles={one.id: one.title for one in forms.list_all(caller.workspace_id)},
        statuses=list(SubmissionStatus),
        following=queries.following(request, following),
        is_first=not cursor,
    )


@router.post("/{submission_id}/decide")
def decide(caller: Member, submission_id: str, form: Posted) -> Response:
    """Approve or reject a submission, once."""
    forms.get_submission(caller.workspace_id, submission_id)
    decision = text(form, "decision")
    if decision not in DECISIONS:
        raise ValidationFailed({"decision": ["must be approved or rejected"]})
    act = submissions.approve if decision == Decision.APPROVED else submissions.reject
    act(caller, submission_id)
    return answers.lead_on(addresses.safe(text(form, "next", ROOT)), f"run.{decision}")
