"""Unsaved changes of automations: one edit per person, with states to undo to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import WorkflowEdit, WorkflowEditState

MAX_STATES = 60
"""Changes that can be taken back; those before are forgotten."""


def find(
    session: Session, workflow_id: str, editor_id: str, *, lock: bool = False
) -> WorkflowEdit | None:
    """An edit, or None."""
    query = select(WorkflowEdit).where(
        WorkflowEdit.workflow_id == workflow_id, WorkflowEdit.editor_id == editor_id
    )
    return session.scalar(query.with_for_update() if lock else query)


def begin(
    session: Session,
    workflow_id: str,
    editor_id: str,
    base_version: int,
    definition: Mapping[str, Any],
) -> WorkflowEdit | None:
    """A new edit; None where another window was first."""
    query = (
        insert(WorkflowEdit)
        .values(
            workflow_id=workflow_id,
            editor_id=editor_id,
            base_version=base_version,
            place=0,
            last=0,
            changes=0,
            sample={},
        )
        .on_conflict_do_nothing()
        .returning(WorkflowEdit)
    )
    edit = session.scalar(query)
    if edit is not None:
        _add(session, edit, 0, "", definition)
    return edit


def draft(session: Session, edit: WorkflowEdit) -> dict[str, Any]:
    """What the definition is in the state that the edit is in."""
    return dict(_state(session, edit).definition)


def first(session: Session, edit: WorkflowEdit) -> int:
    """The number of the oldest state that is kept."""
    query = select(func.min(WorkflowEditState.number)).where(*_key_conditions(edit))
    return session.scalar(query) or 0


def last(session: Session, edit: WorkflowEdit) -> int:
    """That of the newest one."""
    return edit.last


def push(session: Session, edit: WorkflowEdit, typed_into: str, draft: dict[str, Any]) -> None:
    """Add a state behind the one that the edit is in; those that were taken back are gone."""
    statement = delete(WorkflowEditState).where(
        *_key_conditions(edit), WorkflowEditState.number > edit.place
    )
    session.execute(statement)
    edit.place += 1
    edit.last = edit.place
    _add(session, edit, edit.place, typed_into, draft)
    old = WorkflowEditState.number <= edit.place - MAX_STATES
    session.execute(delete(WorkflowEditState).where(*_key_conditions(edit), old))
    touch(session, edit)


def replace(session: Session, edit: WorkflowEdit, draft: dict[str, Any]) -> None:
    """Overwrite the state that the edit is in, as one does who goes on typing."""
    session.execute(
        update(WorkflowEditState)
        .where(*_key_conditions(edit), WorkflowEditState.number == edit.place)
        .values(definition=draft)
    )
    touch(session, edit)


def last_typed(session: Session, edit: WorkflowEdit) -> str:
    """What was typed into by the last change; empty for a change that was none of typing."""
    return _state(session, edit).typed_into


def touch(session: Session, edit: WorkflowEdit) -> None:
    """Note that it was changed now."""
    edit.changes += 1
    edit.changed_at = func.clock_timestamp()
    session.flush()
    session.refresh(edit)


def remove(session: Session, workflow_id: str, editor_id: str | None = None) -> None:
    """Forget an edit; those of everybody when none is named."""
    editor = () if editor_id is None else (WorkflowEdit.editor_id == editor_id,)
    statement = delete(WorkflowEdit).where(WorkflowEdit.workflow_id == workflow_id, *editor)
    session.execute(statement)


def _state(session: Session, edit: WorkflowEdit) -> WorkflowEditState:
    return session.scalars(
        select(WorkflowEditState).where(
            *_key_conditions(edit), WorkflowEditState.number == edit.place
        )
    ).one()


def _add(
    session: Session, edit: WorkflowEdit, number: int, typed_into: str, edited: Mapping[str, Any]
) -> None:
    session.add(
        WorkflowEditState(
            workflow_id=edit.workflow_id,
            editor_id=edit.editor_id,
            number=number,
            typed_into=typed_into,
            definition=dict(edited),
        )
    )
    session.flush()


def _key_conditions(edit: WorkflowEdit) -> tuple[Any, Any]:
    return (
        WorkflowEditState.workflow_id == edit.workflow_id,
        WorkflowEditState.editor_id == edit.editor_id,
    )
