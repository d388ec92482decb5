"""How forms and what was filled into them look in answers."""

from __future__ import annotations

from typing import Any

from automations.kit.clock import timestamp
from automations.services.forms.forms import Form
from automations.services.forms.submissions import Submission, SubmissionSnapshot


def form(shown: Form) -> dict[str, Any]:
    """A form."""
    return {
        "id": shown.id,
        "title": shown.title,
        "description": shown.description,
        "schema": shown.schema,
        "version": shown.version,
        "public": shown.public,
        "createdAt": timestamp(shown.created_at),
        "updatedAt": timestamp(shown.updated_at),
    }


def submission(shown: Submission) -> dict[str, Any]:
    """A submission."""
    return {
        "id": shown.id,
        "formId": shown.form_id,
        "formVersion": shown.form_version,
        "status": shown.status,
        "data": shown.data,
        "decidedBy": shown.decided_by,
        "decidedAt": shown.decided_at and timestamp(shown.decided_at),
        "createdAt": timestamp(shown.created_at),
    }


def snapshot(shown: SubmissionSnapshot) -> dict[str, Any]:
    """What a submission held before a change."""
    return {
        "id": shown.id,
        "submissionId": shown.submission_id,
        "number": shown.number,
        "formVersion": shown.form_version,
        "data": shown.data,
        "changedBy": shown.changed_by,
        "createdAt": timestamp(shown.created_at),
    }
