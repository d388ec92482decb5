"""Boards, from which matters are made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from automations.db import matters
from automations.db.session import Session, unit_of_work
from automations.db.tables import MatterTemplate as TemplateRow
from automations.db.workflows import workflows
from automations.domain.matters import Board, MatterTemplate
from automations.errors import Conflict, InUse, NotFound
from automations.kit import common_clock
from automations.kit.values import from_attributes
from automations.services.audit import audit


def list_all(workspace_id: str) -> Sequence[MatterTemplate]:
    """All boards of a workspace."""
    with unit_of_work() as session:
        rows = matters.list_templates(session, workspace_id)
    return [from_attributes(MatterTemplate, row) for row in rows]


def get(workspace_id: str, template_id: str) -> MatterTemplate:
    """One board."""
    with unit_of_work() as session:
        return from_attributes(MatterTemplate, find(session, workspace_id, template_id))


def create(workspace_id: str, board: Board) -> MatterTemplate:
    """Create a board."""
    with unit_of_work() as session:
        template = _write(session, TemplateRow(workspace_id=workspace_id), board)
        audit.record(session, "matter_template.create", template, name=template.name)
        return from_attributes(MatterTemplate, template)


def replace(
    workspace_id: str, template_id: str, board: Board, *, seen: datetime | None = None
) -> MatterTemplate:
    """Put another board in place of one; matters made before keep their steps.

    Args:
        seen: when it was changed last, as far as is known; None to replace whatever it is.

    Raises:
        Conflict: it was changed since it was seen.
    """
    with unit_of_work() as session:
        template = find(session, workspace_id, template_id, lock=True)
        if seen is not None and template.updated_at != seen:
            raise Conflict(
                f"Somebody else has changed the board '{template.name}' meanwhile: load the page "
                "anew to change what it is now."
            )
        template.updated_at = common_clock.now()
        _write(session, template, board)
        audit.record(session, "matter_template.update", template, name=template.name)
        return from_attributes(MatterTemplate, template)


def delete(workspace_id: str, template_id: str, *, force: bool = False) -> None:
    """Delete a board; its matters stay.

    Raises:
        InUse: ACTIVE automations name it, unless it is to be gone all the same.
    """
    with unit_of_work() as session:
        template = find(session, workspace_id, template_id, lock=True)
        users = () if force else workflows.active_with(session, workspace_id, template_id)
        if users:
            raise InUse(f"board '{template.name}'", users)
        template.deleted_at = common_clock.now()
        audit.record(session, "matter_template.delete", template, name=template.name)


def find(
    session: Session, workspace_id: str, template_id: str, *, lock: bool = False
) -> TemplateRow:
    """A board of a workspace.

    Raises:
        NotFound: it is not there, or deleted.
    """
    template = matters.find_template(session, workspace_id, template_id, lock=lock)
    if template is None:
        raise NotFound(f"There is no matter template {template_id}.")
    return template


def _write(session: Session, template: TemplateRow, board: Board) -> TemplateRow:
    template.name, template.description = board.name, board.description
    template.board_type, template.steps = board.board_type, board.numbered_steps()
    session.add(template)
    session.flush()
    session.refresh(template)
    return template
