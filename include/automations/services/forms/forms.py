"""Forms: created, changed and deleted; each change is a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from automations.db.forms import form_edits, forms
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import Form as FormRow
from automations.db.workflows import workflows
from automations.domain.forms import schema
from automations.errors import InUse, NotFound, ValidationFailed
from automations.kit import common_clock
from automations.kit.storable import identical
from automations.kit.values import JSON, from_attributes
from automations.services.audit import audit
from automations.services.forms import form_tables


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
        ValidationFailed: it is too large, or two of its fields have one key.
    """
    _check_form(form)
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
        ValidationFailed: it is too large, or two of its fields have one key.
    """
    with unit_of_work() as session:
        row = find(session, workspace_id, form_id, lock=True)
        return change(session, row, title=title, description=description, form=form, public=public)


def change(
    session: Session,
    row: FormRow,
    *,
    title: str | None,
    description: str | None,
    form: schema.FormSchema | None,
    public: bool | None,
) -> Form:
    """Change a locked form, as ``update`` does."""
    if form is not None:
        _check_form(form)
    before = [row.title, row.description, row.schema]
    row.title = row.title if title is None else title
    row.description = row.description if description is None else description
    if form is not None:
        row.schema = form.model_dump(mode="json", by_alias=True, exclude_unset=True)
    row.public = row.public if public is None else public
    if not identical(before, [row.title, row.description, row.schema]):
        row.version += 1
        row.updated_at = common_clock.now()
        forms.add_version(session, row, audit.current().actor.name)
    if public:
        form_tables.publish(session, row)
    else:
        form_tables.follow(session, row)
    audit.record(
        session,
        "form.update",
        row,
        title=row.title,
        version=row.version,
        public=row.public,
    )
    return from_attributes(Form, row)


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
        form.deleted_at = common_clock.now()
        form_edits.remove(session, form.id)
        form_tables.release(session, form)
        audit.record(session, "form.delete", form, title=form.title)


def list_all(workspace_id: str) -> Sequence[Form]:
    """All forms of a workspace."""
    with unit_of_work() as session:
        return [from_attributes(Form, row) for row in forms.list_all(session, workspace_id)]


def titles(workspace_id: str) -> Mapping[str, str]:
    """The titles of all forms of a workspace by their ids."""
    with reading() as session:
        return forms.titles(session, workspace_id)


def _check_form(form: schema.FormSchema) -> None:
    problems = schema.check_whole(form)
    if problems:
        raise ValidationFailed({f"schema.{path}": messages for path, messages in problems.items()})


def find(session: Session, workspace_id: str, form_id: str, *, lock: bool = False) -> FormRow:
    """The row of a form.

    Raises:
        NotFound: there is no such form.
    """
    form = forms.find(session, workspace_id, form_id, lock=lock)
    if form is None:
        raise NotFound(f"There is no form {form_id}.")
    return form
