"""How edits of automations and forms go on: with one more change, or back to an earlier state."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from sqlalchemy.orm import Session

from automations.db.tables import FormEdit, WorkflowEdit
from automations.domain.edits import is_typing_on
from automations.kit import common_clock

Edit = TypeVar("Edit", FormEdit, WorkflowEdit)
OneKind = TypeVar("OneKind", contravariant=True)


class States(Protocol[OneKind]):
    """Where edits of one kind have the states to go back to: ``form_edits``, ``workflow_edits``."""

    def last_typed(self, session: Session, edit: OneKind) -> str:
        """What was typed into by the last change; empty for a change that was none of typing."""

    def first(self, session: Session, edit: OneKind) -> int:
        """The number of the oldest state that is kept."""

    def last(self, session: Session, edit: OneKind) -> int:
        """That of the newest one."""

    def push(self, session: Session, edit: OneKind, typed_into: str, draft: dict[str, Any]) -> None:
        """Add a state behind the one that the edit is in; those that were taken back are gone."""

    def replace(self, session: Session, edit: OneKind, draft: dict[str, Any]) -> None:
        """Overwrite the state that the edit is in, as one does who goes on typing."""

    def touch(self, session: Session, edit: OneKind) -> None:
        """Note that it was changed now."""


def keep(
    states: States[Edit], session: Session, edit: Edit, typed_into: str, draft: dict[str, Any]
) -> None:
    """Keep a change; letters that are typed one after the other are one.

    Args:
        typed_into: names the input that was typed into; empty where nothing was typed.
        draft: as it is after the change.
    """
    goes_on = (
        bool(typed_into)
        and edit.place == states.last(session, edit)
        and is_typing_on(
            typed_into, states.last_typed(session, edit), edit.changed_at, common_clock.now()
        )
    )
    if goes_on:
        states.replace(session, edit, draft)
    else:
        states.push(session, edit, typed_into, draft)


def step_back(states: States[Edit], session: Session, edit: Edit, steps: int) -> None:
    """Take changes back, or make them again where it is negative, as far as there are any."""
    first, last = states.first(session, edit), states.last(session, edit)
    edit.place = max(first, min(last, edit.place - steps))
    states.touch(session, edit)


def may_undo(states: States[Edit], session: Session, edit: Edit | None) -> bool:
    """Whether there is a change to take back."""
    return edit is not None and edit.place > states.first(session, edit)


def may_redo(states: States[Edit], session: Session, edit: Edit | None) -> bool:
    """Whether one was taken back that can be made again."""
    return edit is not None and edit.place < states.last(session, edit)
