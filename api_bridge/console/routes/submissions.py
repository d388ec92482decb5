"""What people have filled into forms, and deciding on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import queries, responses, urls
from api_bridge.console.form_data import Posted, text
from api_bridge.console.queries import Text
from api_bridge.console.views import submission_values
from api_bridge.console.views.submission_values import Row
from api_bridge.deps import Member, Viewer
from api_bridge.routing import Router
from automations.domain.statuses import DECISIONS, Decision, SubmissionStatus
from automations.errors import ValidationFailed
from automations.services.events import events
from automations.services.forms import forms, submissions
from automations.services.forms.submissions import Submission
from automations.services.workflows import overviews

ROOT = "/console/submissions"
router = Router(prefix=ROOT, tags=["forms"])

_MAX_SNAPSHOTS = 20
"""The last ones, of which each may be as long as a submission."""


@router.get("")
def show_list(
    request: Request, caller: Viewer, form: Text = "", status: Text = "", cursor: Text = ""
) -> Response:
    """Submissions of all forms, newest first."""
    chosen_status = queries.choice(SubmissionStatus, "status", status)
    page, following = submissions.page_after(
        caller.workspace_id, form or None, chosen_status, cursor or None, queries.PAGE_SIZE
    )
    schemas = submissions.schemas_of(page)
    titles = forms.titles(caller.workspace_id)
    return responses.page(
        request,
        "submissions.html",
        caller,
        rows=[(submission, _rows(schemas, submission)) for submission in page],
        form=form,
        status=status,
        titles=titles,
        offered=queries.offered(titles, form),
        statuses=list(SubmissionStatus),
        following=queries.following(request, following),
        is_first=not cursor,
    )


@router.get("/{submission_id}")
def show(request: Request, caller: Viewer, submission_id: str) -> Response:
    """One submission: what was filled in, who decided, and what it has started."""
    submission = submissions.get(caller.workspace_id, submission_id)
    instants = [submission.created_at, *([submission.decided_at] if submission.decided_at else [])]
    snapshots = submissions.newest_snapshots(caller.workspace_id, submission_id, _MAX_SNAPSHOTS)
    titles = forms.titles(caller.workspace_id)
    return responses.page(
        request,
        "submission.html",
        caller,
        one=submission,
        title=titles.get(submission.form_id),
        rows=_rows(submissions.schemas_of([submission]), submission),
        told=events.of_submission(caller.workspace_id, submission_id, instants),
        names=overviews.names(caller.workspace_id),
        snapshots=snapshots,
    )


@router.post("/{submission_id}/decide")
def decide(caller: Member, submission_id: str, form: Posted) -> Response:
    """Approve or reject a submission, once."""
    submissions.get(caller.workspace_id, submission_id)
    decision = text(form, "decision")
    if decision not in DECISIONS:
        raise ValidationFailed({"decision": ["must be approved or rejected"]})
    act = submissions.approve if decision == Decision.APPROVED else submissions.reject
    act(caller, submission_id)
    return responses.redirect(urls.safe(text(form, "next", ROOT)), f"run.{decision}")


def _rows(
    schemas: Mapping[tuple[str, int], Mapping[str, Any]], submission: Submission
) -> list[Row]:
    return submission_values.rows(
        schemas[submission.form_id, submission.form_version], submission.data
    )
