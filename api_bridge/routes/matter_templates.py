"""Boards, from which matters are made."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from api_bridge.bodies import Edited
from api_bridge.deps import Admin, Forced, Viewer
from api_bridge.routing import Router
from api_bridge.views import matters as matter_views
from automations.domain.matters import Board
from automations.services.matters import templates

router = Router(prefix="/api/matter-templates", tags=["matters"])


class ChangedBoard(Board, Edited):
    """A board: it replaces the one before as a whole."""


@router.get("")
def list_templates(caller: Viewer) -> list[dict[str, Any]]:
    """List all boards."""
    listed = templates.list_all(caller.workspace_id)
    return [matter_views.template(template) for template in listed]


@router.post("", status_code=201)
def create_template(caller: Admin, board: Board) -> dict[str, Any]:
    """Create a board."""
    return matter_views.template(templates.create(caller.workspace_id, board))


@router.get("/{template_id}")
def get_template(caller: Viewer, template_id: str) -> dict[str, Any]:
    """Get one board."""
    return matter_views.template(templates.get(caller.workspace_id, template_id))


@router.put("/{template_id}")
def replace_template(caller: Admin, template_id: str, board: ChangedBoard) -> dict[str, Any]:
    """Replace a board; existing matters keep their steps."""
    board = board.as_shown(matter_views.template(templates.get(caller.workspace_id, template_id)))
    replaced = templates.replace(caller.workspace_id, template_id, board)
    return matter_views.template(replaced)


@router.delete("/{template_id}", status_code=204)
def delete_template(caller: Admin, template_id: str, force: Forced = False) -> Response:
    """Delete a board; its matters stay."""
    templates.delete(caller.workspace_id, template_id, force=force)
    return Response(status_code=204)
