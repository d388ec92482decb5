"""Forms and their submissions; a submission is an event, in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from automations import forms as schema
from automations.db import forms
from automations.db.session import Session, unit_of_work
from automations.db.tables import Form, Submission
from automations.errors import NotFound, ValidationFailed
from automations.outcomes import JSON
from automations.services.starting import emit
from automations.triggers import form_submission_key


def create(
    workspace_id: str,
    *,
    title: str,
    description: str,
    form: schema.FormSchema,
    public: bool = False,
) -> Form:
    """Create a form."""
    with unit_of_work() as session:
        created = Form(
            workspace_id=workspace_id,
            title=title,
            description=description,
            public=public,
            schema=form.model_dump(mode="json", by_alias=True, exclude_unset=True),
        )
        session.add(created)
        session.flush()
        session.refresh(created)
        return created


def get(workspace_id: str, form_id: str) -> Form:
    """One form."""
    with unit_of_work() as session:
        form = forms.find(session, workspace_id, form_id)
        if form is None:
            raise NotFound(f"There is no form {form_id}.")
        return form


def list_all(workspace_id: str) -> Sequence[Form]:
    """All forms of a workspace."""
    with unit_of_work() as session:
        return forms.listed(session, workspace_id)


def submit(workspace_id: str, form_id: str, data: dict[str, JSON]) -> Submission:
    """Take what somebody filled in; the automations that listen start a moment later.

    Raises:
        NotFound: there is no such form.
        ValidationFailed: the data does not fit the form; names each value.
    """
    with unit_of_work() as session:
        form = forms.find(session, workspace_id, form_id)
        if form is None:
            raise NotFound(f"There is no form {form_id}.")
        return take(session, form, data)


def take(session: Session, form: Form, data: dict[str, JSON]) -> Submission:
    """Check and keep what was filled in; it is an event from then on."""
    errors = schema.check(form.schema, data)
    if errors:
        raise ValidationFailed(
            {f"data.{path}".rstrip("."): messages for path, messages in errors.items()}
        )
    submission = Submission(
        workspace_id=form.workspace_id, form_id=form.id, form_version=form.version, data=data
    )
    session.add(submission)
    session.flush()
    session.refresh(submission)
    context: dict[str, Any] = {
        "submissionId": submission.id,
        "formId": form.id,
        "formTitle": form.title,
        "submission": data,
    }
    emit(
        session,
        form.workspace_id,
        kind="FORM_SUBMITTED",
        trigger_key=form_submission_key(form.id),
        data=context,
    )
    return submission


def get_submission(workspace_id: str, submission_id: str) -> Submission:
    """One submission."""
    with unit_of_work() as session:
        found = forms.find_submission(session, workspace_id, submission_id)
        if found is None:
            raise NotFound(f"There is no submission {submission_id}.")
        return found


def list_submissions(workspace_id: str, form_id: str | None, limit: int) -> Sequence[Submission]:
    """A workspace's newest submissions."""
    with unit_of_work() as session:
        return forms.submissions(session, workspace_id, form_id, limit)
