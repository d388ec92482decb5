"""Submissions after they came in: changed while pending, then approved or rejected, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from automations.db import forms, submissions
from automations.db.events import emit
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import Submission as SubmissionRow
from automations.definitions.triggers import event_key
from automations.domain.events import NewEvent
from automations.domain.principals import Principal
from automations.domain.statuses import SubmissionStatus
from automations.errors import Conflict, NotFound
from automations.kit import cursors
from automations.kit.values import JSON, from_attributes
from automations.services.audit import audit
from automations.services.forms import form_tables
from automations.services.forms.forms import Submission, checked


@dataclass(frozen=True, slots=True)
class SubmissionSnapshot:
    """What a submission held before one of its changes."""

    id: str
    submission_id: str
    number: int
    form_version: int
    data: Mapping[str, JSON]
    changed_by: str
    created_at: datetime


def approve(by: Principal, submission_id: str) -> Submission:
    """Approve a submission; the automations that listen start a moment later.

    Raises:
        Conflict: it was decided before.
    """
    return _decide(by, submission_id, SubmissionStatus.APPROVED)


def reject(by: Principal, submission_id: str) -> Submission:
    """Reject a submission; the automations that listen start a moment later.

    Raises:
        Conflict: it was decided before.
    """
    return _decide(by, submission_id, SubmissionStatus.REJECTED)


def change(by: Principal, submission_id: str, data: dict[str, JSON]) -> Submission:
    """Put other data in the place of a submission's; what it held is kept as a snapshot.

    Raises:
        ValidationFailed: the data does not fit the form as it is now.
        Conflict: it was decided before, or the form is deleted.
    """
    with unit_of_work() as session:
        submission = submissions.lock(session, by.workspace_id, submission_id)
        if submission is None:
            raise NotFound(f"There is no submission {submission_id}.")
        if submission.status != SubmissionStatus.PENDING:
            raise _decided(submission)
        form = submissions.form_of(session, submission)
        if form.deleted_at is not None:
            raise Conflict("The form is deleted.")
        data = checked(session, form, data)
        submissions.keep(session, submission, by.name)
        submission.data, submission.form_version = data, form.version
        submission.submitters = list(dict.fromkeys([*submission.submitters, *audit.actors()]))
        form_tables.change(session, form, submission)
        audit.record(session, "submission.update", submission, formId=form.id)
        return from_attributes(Submission, submission)


def snapshots_after(
    workspace_id: str, submission_id: str, cursor: str | None, size: int
) -> tuple[Sequence[SubmissionSnapshot], str | None]:
    """What a submission held before its changes behind a cursor, and the cursor to go on with."""
    after = cursors.decode_numbered(cursor)[1] if cursor else 0
    with unit_of_work() as session:
        _find(session, workspace_id, submission_id)
        found = submissions.snapshots(session, submission_id, after, size + 1)
    kept = [from_attributes(SubmissionSnapshot, row) for row in found]
    return cursors.page(kept, size, lambda one: (one.created_at, str(one.number)))


def newest_snapshots(
    workspace_id: str, submission_id: str, most: int
) -> Sequence[SubmissionSnapshot]:
    """What a submission held before its last changes, the oldest of them first."""
    with reading() as session:
        _find(session, workspace_id, submission_id)
        found = submissions.newest_snapshots(session, submission_id, most)
    return [from_attributes(SubmissionSnapshot, row) for row in reversed(found)]


def _decide(by: Principal, submission_id: str, status: SubmissionStatus) -> Submission:
    workspace_id = by.workspace_id
    with unit_of_work() as session:
        submission = submissions.decide(session, workspace_id, submission_id, status, by.name)
        if submission is None:
            raise _decided(_find(session, workspace_id, submission_id))
        form = submissions.form_of(session, submission)
        kind = f"FORM_{status}"
        emit(
            session,
            workspace_id,
            NewEvent(
                kind=kind,
                trigger_key=event_key(kind, form.id),
                data={
                    "submissionId": submission.id,
                    "formId": form.id,
                    "formTitle": form.title,
                    "submission": submission.data,
                },
                actors=[*submission.submitters, *audit.actors()],
            ),
        )
        verb = "approve" if status == SubmissionStatus.APPROVED else "reject"
        audit.record(session, f"submission.{verb}", submission, formId=form.id)
        return from_attributes(Submission, submission)


def _decided(submission: SubmissionRow) -> Conflict:
    return Conflict(f"The submission was {submission.status.lower()} before.")


def _find(session: Session, workspace_id: str, submission_id: str) -> SubmissionRow:
    submission = forms.find_submission(session, workspace_id, submission_id)
    if submission is None:
        raise NotFound(f"There is no submission {submission_id}.")
    return submission
