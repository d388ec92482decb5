"""Submissions: received, changed while pending, then approved or rejected, once.

Each of these is an event, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automations.db.events.events import emit
from automations.db.forms import forms, submissions
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import Form as FormRow
from automations.db.tables import Submission as SubmissionRow
from automations.definitions.triggers import event_key, form_submission_key
from automations.domain.events import NewEvent
from automations.domain.forms import data_checks, schema
from automations.domain.forms.uploads import Upload
from automations.domain.principals import Principal
from automations.domain.statuses import SubmissionStatus
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.kit import cursors
from automations.kit.values import JSON, from_attributes
from automations.services.audit import audit
from automations.services.forms import form_tables, quotas, uploads
from automations.services.forms.forms import find


@dataclass(frozen=True, slots=True)
class Submission:
    """What somebody filled into a form, and what was decided on it."""

    id: str
    form_id: str
    form_version: int
    status: SubmissionStatus
    data: Mapping[str, JSON]
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime


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


def submit(workspace_id: str, form_id: str, data: dict[str, JSON]) -> Submission:
    """Take what somebody filled in; the automations that listen start a moment later.

    Raises:
        NotFound: there is no such form.
        ValidationFailed: the data does not fit the form; names each value.
    """
    with unit_of_work() as session:
        submission = take(session, find(session, workspace_id, form_id), data)
        return from_attributes(Submission, submission)


def take(
    session: Session,
    form: FormRow,
    data: dict[str, JSON],
    sent: Sequence[Upload] | None = None,
) -> SubmissionRow:
    """Check and keep what was filled in; it is an event from then on.

    Args:
        sent: the files that came with it from a page; None for what came by the API.
    """
    data = validate(session, form, data, sent)
    actors = audit.actors()
    submission = SubmissionRow(
        workspace_id=form.workspace_id,
        form_id=form.id,
        form_version=form.version,
        data=data,
        submitters=actors,
    )
    session.add(submission)
    session.flush()
    session.refresh(submission)
    uploads.keep(
        session,
        form.workspace_id,
        sent or (),
        source=f"form:{form.id}" if form.public else None,
        submission_id=submission.id,
    )
    form_tables.add(session, form, submission)
    context: dict[str, Any] = {
        "submissionId": submission.id,
        "formId": form.id,
        "formTitle": form.title,
        "submission": data,
    }
    emit(
        session,
        form.workspace_id,
        NewEvent(
            kind="FORM_SUBMITTED",
            trigger_key=form_submission_key(form.id),
            data=context,
            actors=actors,
        ),
    )
    audit.record(session, "submission.create", submission, formId=form.id)
    if form.public and sent is not None:
        quotas.take(session, form.id, data)
    return submission


def get(workspace_id: str, submission_id: str) -> Submission:
    """One submission."""
    with unit_of_work() as session:
        return from_attributes(Submission, _find(session, workspace_id, submission_id))


def page_after(
    workspace_id: str,
    form_id: str | None,
    status: SubmissionStatus | None,
    cursor: str | None,
    size: int,
) -> tuple[Sequence[Submission], str | None]:
    """The submissions after a cursor, newest first, and the next cursor."""
    after = cursors.decode(cursor) if cursor else None
    with unit_of_work() as session:
        rows = forms.submissions(session, workspace_id, form_id, status, after, size + 1)
    submitted = [from_attributes(Submission, row) for row in rows]
    return cursors.page(submitted, size, lambda submission: (submission.created_at, submission.id))


def schemas_of(page: Sequence[Submission]) -> Mapping[tuple[str, int], Mapping[str, Any]]:
    """What the forms of submissions were like when they were filled in, by id and version."""
    with reading() as session:
        return forms.schemas_of(
            session, {(submission.form_id, submission.form_version) for submission in page}
        )


def validate(
    session: Session, form: FormRow, data: dict[str, JSON], sent: Sequence[Upload] | None = None
) -> dict[str, JSON]:
    """Data that fits a form, with its files as we know them.

    Args:
        sent: the files that came with it from a page; None for what came by the API.

    Raises:
        ValidationFailed: it does not fit; names each value.
    """
    parsed = schema.FormSchema.model_validate(form.schema)
    settled, errors = uploads.resolve(session, form.workspace_id, parsed, data, sent)
    errors = data_checks.check(parsed, data) | errors
    if errors:
        raise ValidationFailed(
            {f"data.{path}".rstrip("."): messages for path, messages in errors.items()}
        )
    return settled


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
    """Put other data in place of a submission's; what it held is kept as a snapshot.

    Raises:
        ValidationFailed: the data does not fit the form as it is now.
        Conflict: it was decided before, or the form is deleted.
    """
    with unit_of_work() as session:
        submission = submissions.lock(session, by.workspace_id, submission_id)
        if submission is None:
            raise NotFound(f"There is no submission {submission_id}.")
        if submission.status != SubmissionStatus.PENDING:
            raise _decided_conflict(submission)
        form = submissions.form_of(session, submission)
        if form.deleted_at is not None:
            raise Conflict("The form is deleted.")
        data = validate(session, form, data)
        submissions.keep(session, submission, by.name)
        submission.data, submission.form_version = data, form.version
        submission.submitters = list(dict.fromkeys([*submission.submitters, *audit.actors()]))
        form_tables.change(session, form, submission)
        audit.record(session, "submission.update", submission, formId=form.id)
        return from_attributes(Submission, submission)


def snapshots_after(
    workspace_id: str, submission_id: str, cursor: str | None, size: int
) -> tuple[Sequence[SubmissionSnapshot], str | None]:
    """What a submission held before its changes after a cursor, and the next cursor."""
    after = cursors.decode_numbered(cursor)[1] if cursor else 0
    with unit_of_work() as session:
        _find(session, workspace_id, submission_id)
        rows = submissions.snapshots(session, submission_id, after, size + 1)
    snapshots = [from_attributes(SubmissionSnapshot, row) for row in rows]
    return cursors.page(
        snapshots, size, lambda snapshot: (snapshot.created_at, str(snapshot.number))
    )


def newest_snapshots(
    workspace_id: str, submission_id: str, limit: int
) -> Sequence[SubmissionSnapshot]:
    """What a submission held before its last changes, the oldest of them first."""
    with reading() as session:
        _find(session, workspace_id, submission_id)
        rows = submissions.newest_snapshots(session, submission_id, limit)
    return [from_attributes(SubmissionSnapshot, row) for row in reversed(rows)]


def _decide(by: Principal, submission_id: str, status: SubmissionStatus) -> Submission:
    workspace_id = by.workspace_id
    with unit_of_work() as session:
        submission = submissions.decide(session, workspace_id, submission_id, status, by.name)
        if submission is None:
            raise _decided_conflict(_find(session, workspace_id, submission_id))
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


def _decided_conflict(submission: SubmissionRow) -> Conflict:
    return Conflict(f"The submission was {submission.status.lower()} before.")


def _find(session: Session, workspace_id: str, submission_id: str) -> SubmissionRow:
    submission = forms.find_submission(session, workspace_id, submission_id)
    if submission is None:
        raise NotFound(f"There is no submission {submission_id}.")
    return submission
