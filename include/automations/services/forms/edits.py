"""Edits of forms: unsaved changes of one person, stored as they type, saved as a version.

Nothing of an edit has an effect before it is saved; it need not be valid until then. Each person
has their own, and nobody's overwrites what another has saved meanwhile without being told.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from automations.db import edits
from automations.db.forms import form_edits, forms
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import Form as FormRow
from automations.db.tables import FormEdit as EditRow
from automations.definitions.field_errors import field_errors
from automations.domain.edits import EditState, check_number, edit_conflict
from automations.domain.forms import editing
from automations.domain.forms.editing import Draft
from automations.domain.forms.schema import WrittenForm, check_whole
from automations.domain.principals import Principal
from automations.errors import Conflict, ValidationFailed
from automations.kit.storable import faults, identical
from automations.kit.values import Errors
from automations.services.forms.forms import Form, change, find

MAX_LENGTH = 400_000
"""Characters of a form that is kept as it is written, as JSON."""
Change = Callable[[Draft], Draft]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit(EditState):
    """What a form is to become, as far as it is written.

    Args:
        title: as it is saved.
        saved: the base, laid out as the draft is.
    """

    form_id: str
    title: str
    public: bool
    draft: Draft
    saved: Draft


def get(by: Principal, form_id: str) -> Edit:
    """Somebody's edit of a form: the one that they have begun, else its newest version.

    Raises:
        NotFound: there is no such form.
    """
    with reading() as session:
        form = find(session, by.workspace_id, form_id)
        return _to_edit(session, form, form_edits.find(session, form.id, by.editor))


def apply(
    by: Principal, form_id: str, base_version: int, number: int, typed_into: str, alter: Change
) -> Edit:
    """Change an edit, which begins with its first change.

    Args:
        base_version: what the editor has seen, where there is no edit yet.
        number: of the state that they have seen.
        typed_into: names the input that was typed into, so that its characters count as one change;
            empty where nothing was typed.
        alter: gives the new draft.

    Raises:
        NotFound: there is no such form or place.
        Conflict: the edit was changed in another window.
        ValidationFailed: it cannot be kept.
    """
    with unit_of_work() as session:
        form = find(session, by.workspace_id, form_id)
        edit = _find_or_begin(session, by, form, base_version, number)
        before = form_edits.draft(session, edit)
        after = alter(before)
        if problems := faults(after, ""):
            raise ValidationFailed(problems)
        if len(json.dumps(after)) > MAX_LENGTH:
            raise ValidationFailed({"schema": [f"may have {MAX_LENGTH:,} characters at most"]})
        if not identical(before, after):
            edits.keep(form_edits, session, edit, typed_into, after)
        return _to_edit(session, form, edit)


def step_back(by: Principal, form_id: str, number: int, steps: int) -> Edit:
    """Take changes back, or make them again where it is negative, as far as there are any.

    Raises:
        NotFound, Conflict: as for ``apply``.
    """
    with unit_of_work() as session:
        form = find(session, by.workspace_id, form_id)
        edit = _lock(session, by, form, number)
        if edit is not None:
            edits.step_back(form_edits, session, edit, steps)
        return _to_edit(session, form, edit)


def discard(by: Principal, form_id: str, number: int) -> None:
    """Forget an edit.

    Raises:
        NotFound, Conflict: as for ``apply``.
    """
    with unit_of_work() as session:
        form = find(session, by.workspace_id, form_id)
        _lock(session, by, form, number)
        form_edits.remove(session, form.id, by.editor)


def follow(by: Principal, form_id: str, number: int) -> None:
    """Have an edit be one of the newest version, which somebody else has saved meanwhile.

    Raises:
        NotFound, Conflict: as for ``apply``.
    """
    with unit_of_work() as session:
        form = find(session, by.workspace_id, form_id)
        edit = _lock(session, by, form, number)
        if edit is not None:
            edit.base_version = form.version


def save(by: Principal, form_id: str, number: int, public: bool | None = None) -> Form:
    """Make an edit a version, by the way of the API's own changes; then it is over.

    Args:
        public: whether anybody may fill it in from now on; None for as it is.

    Raises:
        NotFound: there is no such form.
        Conflict: somebody has saved another version, or changed the edit in another window.
        ValidationFailed: names the fields that are wrong.
    """
    with unit_of_work() as session:
        form = find(session, by.workspace_id, form_id, lock=True)
        edit = _lock(session, by, form, number)
        draft = _lay_out(form) if edit is None else form_edits.draft(session, edit)
        if edit is not None and edit.base_version != form.version and not _is_over(session, edit):
            raise Conflict(
                f"Version {form.version} was saved meanwhile, and this is a change of version "
                f"{edit.base_version}: keep yours or theirs."
            )
        written, errors = validate(draft)
        if written is None or errors:
            raise ValidationFailed(errors)
        form_edits.remove(session, form.id, by.editor)
        is_same = identical(draft, _lay_out(form))
        return change(
            session,
            form,
            title=written.title,
            description=written.description,
            # What is laid out says more than what was written, and means the same.
            form=None if is_same else written.form_schema,
            public=public,
        )


def validate(draft: Draft) -> tuple[WrittenForm | None, Errors]:
    """A draft as a form, and what is wrong with it, by the path of the field."""
    try:
        written = WrittenForm.model_validate(draft)
    except ValidationError as error:
        return None, field_errors(error, draft)
    problems = check_whole(written.form_schema)
    return written, {f"schema.{path}": messages for path, messages in problems.items()}


def _lock(session: Session, by: Principal, form: FormRow, number: int) -> EditRow | None:
    """Somebody's edit, if they have begun one; Conflict when it is not in the state they saw."""
    edit = form_edits.find(session, form.id, by.editor, lock=True)
    check_number(edit, number)
    return edit


def _find_or_begin(
    session: Session, by: Principal, form: FormRow, base_version: int, number: int
) -> EditRow:
    edit = _lock(session, by, form, number)
    if edit is not None:
        if base_version == form.version != edit.base_version and _is_over(session, edit):
            # Nothing of it would be lost, and what was seen is the newest version.
            edit.base_version, edit.states, edit.place = form.version, [_lay_out(form)], 0
            form_edits.touch(session, edit)
        return edit
    base = forms.version(session, form.id, base_version)
    if base is None:
        raise Conflict(f"There is no version {base_version} to change.")
    draft = editing.lay_out(base.title, base.description, base.schema)
    begun = form_edits.begin(session, form.id, by.editor, base_version, draft)
    if begun is None:
        raise edit_conflict()
    return begun


def _is_over(session: Session, edit: EditRow) -> bool:
    """Whether it holds no change of its version, so that nothing would be lost with it."""
    return identical(_base(session, edit), form_edits.draft(session, edit))


def _base(session: Session, edit: EditRow) -> Draft:
    base = forms.version(session, edit.form_id, edit.base_version)
    return {} if base is None else editing.lay_out(base.title, base.description, base.schema)


def _lay_out(form: FormRow) -> Draft:
    return editing.lay_out(form.title, form.description, form.schema)


def _to_edit(session: Session, form: FormRow, edit: EditRow | None) -> Edit:
    newest = _lay_out(form)
    number = 0 if edit is None else edit.changes
    saved = newest if edit is None else _base(session, edit)
    if edit is not None and edit.base_version != form.version and _is_over(session, edit):
        edit, saved = None, newest
    draft = newest if edit is None else form_edits.draft(session, edit)
    current = forms.version(session, form.id, form.version)
    return Edit(
        form_id=form.id,
        title=form.title,
        public=form.public,
        base_version=form.version if edit is None else edit.base_version,
        version=form.version,
        by=None if current is None else current.created_by,
        draft=draft,
        saved=saved,
        number=number,
        may_undo=edits.may_undo(form_edits, session, edit),
        may_redo=edits.may_redo(form_edits, session, edit),
        is_changed=not identical(saved, draft),
        errors=validate(draft)[1],
    )
