"""Unsaved changes of forms: one edit per person, with states to undo to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import FormEdit

MAX_STATES = 30
"""Changes that can be taken back; those before are forgotten."""


def find(session: Session, form_id: str, editor_id: str, *, lock: bool = False) -> FormEdit | None:
    """An edit, or None."""
    query = select(FormEdit).where(FormEdit.form_id == form_id, FormEdit.editor_id == editor_id)
    return session.scalar(query.with_for_update() if lock else query)


def begin(
    session: Session, form_id: str, editor_id: str, base_version: int, draft: dict[str, Any]
) -> FormEdit | None:
    """A new edit; None where another window was first."""
    query = (
        insert(FormEdit)
        .values(
            form_id=form_id,
            editor_id=editor_id,
            base_version=base_version,
            states=[draft],
            place=0,
            typed_into="",
            changes=0,
        )
        .on_conflict_do_nothing()
        .returning(FormEdit)
    )
    return session.scalar(query)


def draft(session: Session, edit: FormEdit) -> dict[str, Any]:
    """What the form is in the state that the edit is in."""
    current: dict[str, Any] = edit.states[edit.place]
    return current


def last_typed(session: Session, edit: FormEdit) -> str:
    """What was typed into by the last change; empty for a change that was none of typing."""
    return edit.typed_into


def first(session: Session, edit: FormEdit) -> int:
    """The number of the oldest state that is kept."""
    return 0


def last(session: Session, edit: FormEdit) -> int:
    """That of the newest one."""
    return len(edit.states) - 1


def push(session: Session, edit: FormEdit, typed_into: str, draft: dict[str, Any]) -> None:
    """Add a state behind the one that the edit is in; those that were taken back are gone."""
    edit.states = [*edit.states[: edit.place + 1], draft][-MAX_STATES - 1 :]
    edit.place = len(edit.states) - 1
    edit.typed_into = typed_into
    touch(session, edit)


def replace(session: Session, edit: FormEdit, draft: dict[str, Any]) -> None:
    """Overwrite the state that the edit is in, as one does who goes on typing."""
    edit.states = [*edit.states[: edit.place], draft]
    touch(session, edit)


def touch(session: Session, edit: FormEdit) -> None:
    """Note that it was changed now."""
    edit.changes += 1
    edit.changed_at = func.clock_timestamp()
    session.flush()
    session.refresh(edit)


def remove(session: Session, form_id: str, editor_id: str | None = None) -> None:
    """Forget an edit; those of everybody when none is named."""
    editor = () if editor_id is None else (FormEdit.editor_id == editor_id,)
    session.execute(delete(FormEdit).where(FormEdit.form_id == form_id, *editor))
