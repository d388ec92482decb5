"""Forms and their submissions; a submission is an event, in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from automations.db import form_edits, forms, workflows
from automations.db.events import emit
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import Form as FormRow
from automations.db.tables import Submission as SubmissionRow
from automations.definitions.triggers import form_submission_key
from automations.domain.events import NewEvent
from automations.domain.forms import schema
from automations.domain.forms.uploads import Upload
from automations.domain.statuses import SubmissionStatus
from automations.errors import InUse, NotFound, ValidationFailed
from automations.kit import cursors
from automations.kit.storable import same
from automations.kit.values import JSON, from_attributes
from automations.services.audit import audit
from automations.services.forms import form_tables, quotas, uploads


@dataclass(frozen=True, slots=True)
class Form:
    """A form in one of its versions."""

    id: str
    title: str
    description: str
    schema: Mapping[str, JSON]
    version: int
    public: bool
    created_at: datetime
    updated_at: datetime


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


def create(
    workspace_id: str,
    *,
    title: str,
    description: str,
    form: schema.FormSchema,
    public: bool = False,
) -> Form:
    """Create a form.

    Raises:
        ValidationFailed: two of its fields have one key.
    """
    _check_keys_differ(form)
    with unit_of_work() as session:
        created = FormRow(
            workspace_id=workspace_id,
            title=title,
            description=description,
            public=public,
            schema=form.model_dump(mode="json", by_alias=True, exclude_unset=True),
        )
        session.add(created)
        session.flush()
        session.refresh(created)
        forms.add_version(session, created, audit.current().actor.name)
        if public:
            form_tables.publish(session, created)
        audit.record(session, "form.create", created, title=title, public=public)
        return from_attributes(Form, created)


def get(workspace_id: str, form_id: str, version: int | None = None) -> Form:
    """One form, as it is now or was in one of its versions."""
    with unit_of_work() as session:
        form = from_attributes(Form, find(session, workspace_id, form_id))
        if version is None or version == form.version:
            return form
        before = forms.version(session, form_id, version)
        if before is None:
            raise NotFound(f"The form has no version {version}.")
        return replace(
            form,
            title=before.title,
            description=before.description,
            schema=before.schema,
            version=before.version,
            updated_at=before.created_at,
        )


def update(
    workspace_id: str,
    form_id: str,
    *,
    title: str | None,
    description: str | None,
    form: schema.FormSchema | None,
    public: bool | None,
) -> Form:
    """Change what is given of a form; a change makes a new version.

    Raises:
        ValidationFailed: two of its fields have one key.
    """
    with unit_of_work() as session:
        found = find(session, workspace_id, form_id, lock=True)
        return change(
            session, found, title=title, description=description, form=form, public=public
        )


def change(
    session: Session,
    found: FormRow,
    *,
    title: str | None,
    description: str | None,
    form: schema.FormSchema | None,
    public: bool | None,
) -> Form:
    """Change a locked form, as ``update`` does."""
    if form is not None:
        _check_keys_differ(form)
    before = [found.title, found.description, found.schema]
    found.title = found.title if title is None else title
    found.description = found.description if description is None else description
    if form is not None:
        found.schema = form.model_dump(mode="json", by_alias=True, exclude_unset=True)
    found.public = found.public if public is None else public
    if not same(before, [found.title, found.description, found.schema]):
        found.version += 1
        found.updated_at = datetime.now(UTC)
        forms.add_version(session, found, audit.current().actor.name)
    if public:
        form_tables.publish(session, found)
    else:
        form_tables.follow(session, found)
    audit.record(
        session,
        "form.update",
        found,
        title=found.title,
        version=found.version,
        public=found.public,
    )
    return from_attributes(Form, found)


def delete(workspace_id: str, form_id: str, *, force: bool = False) -> None:
    """Delete a form: nobody can fill it in any more; its submissions and their table stay.

    Raises:
        InUse: ACTIVE automations name it, unless it is to be gone all the same.
    """
    with unit_of_work() as session:
        form = find(session, workspace_id, form_id, lock=True)
        users = () if force else workflows.active_with(session, workspace_id, form_id)
        if users:
            raise InUse(f"form '{form.title}'", users)
        form.deleted_at = datetime.now(UTC)
        form_edits.remove(session, form.id)
        form_tables.release(session, form)
        audit.record(session, "form.delete", form, title=form.title)


def list_all(workspace_id: str) -> Sequence[Form]:
    """All forms of a workspace."""
    with unit_of_work() as session:
        return [from_attributes(Form, row) for row in forms.listed(session, workspace_id)]


def titles(workspace_id: str) -> Mapping[str, str]:
    """The titles of all forms of a workspace by their ids."""
    with reading() as session:
        return forms.titles(session, workspace_id)


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
    data = checked(session, form, data, sent)
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


def get_submission(workspace_id: str, submission_id: str) -> Submission:
    """One submission."""
    with unit_of_work() as session:
        found = forms.find_submission(session, workspace_id, submission_id)
        if found is None:
            raise NotFound(f"There is no submission {submission_id}.")
        return from_attributes(Submission, found)


def submissions_after(
    workspace_id: str,
    form_id: str | None,
    status: SubmissionStatus | None,
    cursor: str | None,
    size: int,
) -> tuple[Sequence[Submission], str | None]:
    """The submissions behind a cursor, newest first, and the cursor to go on with."""
    after = cursors.decode(cursor) if cursor else None
    with unit_of_work() as session:
        found = forms.submissions(session, workspace_id, form_id, status, after, size + 1)
    submitted = [from_attributes(Submission, row) for row in found]
    return cursors.page(submitted, size, lambda one: (one.created_at, one.id))


def schemas_of(found: Sequence[Submission]) -> Mapping[tuple[str, int], Mapping[str, Any]]:
    """What the forms of submissions were like when they were filled in, by id and version."""
    with reading() as session:
        return forms.schemas_of(session, {(one.form_id, one.form_version) for one in found})


def checked(
    session: Session, form: FormRow, data: dict[str, JSON], sent: Sequence[Upload] | None = None
) -> dict[str, JSON]:
    """Data that fits a form, with its files as we know them.

    Args:
        sent: the files that came with it from a page; None for what came by the API.

    Raises:
        ValidationFailed: it does not fit; names each value.
    """
    parsed = schema.FormSchema.model_validate(form.schema)
    settled, errors = uploads.settled(session, form.workspace_id, parsed, data, sent)
    errors = schema.check(parsed, data) | errors
    if errors:
        raise ValidationFailed(
            {f"data.{path}".rstrip("."): messages for path, messages in errors.items()}
        )
    return settled


def _check_keys_differ(form: schema.FormSchema) -> None:
    found = schema.twice(form)
    if found:
        raise ValidationFailed({f"schema.{path}": messages for path, messages in found.items()})


def find(session: Session, workspace_id: str, form_id: str, *, lock: bool = False) -> FormRow:
    """The row of a form.

    Raises:
        NotFound: there is no such form.
    """
    form = forms.find(session, workspace_id, form_id, lock=lock)
    if form is None:
        raise NotFound(f"There is no form {form_id}.")
    return form
