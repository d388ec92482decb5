"""Boards: the steps that matters made from them go through; made, changed and deleted."""

from __future__ import annotations

from functools import partial

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import drafts, responses
from api_bridge.console.form_data import Posted, check_sure_though_used, text
from api_bridge.console.routes.matters import ROOT as MATTERS
from api_bridge.console.views import boards as board_views
from api_bridge.console.views import conflicts, timestamps
from api_bridge.console.views.boards import BoardDraft
from api_bridge.deps import Admin
from api_bridge.routing import Router
from automations.domain.matters import MatterTemplate
from automations.domain.principals import Principal
from automations.kit.values import Errors
from automations.services.matters import templates
from automations.services.workflows import uses

ROOT = f"{MATTERS}/boards"
router = Router(prefix=ROOT, tags=["matters"])


@router.get("/new")
def show_new(request: Request, caller: Admin) -> Response:
    """What a new board is to have."""
    return _page(request, caller, None, "", board_views.empty())


@router.post("/new")
def create(request: Request, caller: Admin, form: Posted) -> Response:
    """Make a board, or change what its form offers."""

    def save(draft: BoardDraft) -> Response:
        created = templates.create(caller.workspace_id, board_views.board(draft))
        return responses.redirect(f"{MATTERS}?board={created.id}", "board.made")

    show = partial(_page, request, caller, None, "")
    return drafts.respond(form, board_views.read(form), show, done=board_views.apply, save=save)


@router.get("/{template_id}")
def show(request: Request, caller: Admin, template_id: str) -> Response:
    """A board, to be changed."""
    template = templates.get(caller.workspace_id, template_id)
    return _page(request, caller, template, "", board_views.from_template(template))


@router.post("/{template_id}")
def change(request: Request, caller: Admin, template_id: str, form: Posted) -> Response:
    """Change a board; matters that were made before keep their steps."""
    template = templates.get(caller.workspace_id, template_id)
    seen = text(form, "seen")

    def save(draft: BoardDraft) -> Response:
        seen_at = timestamps.read_seen(seen, template.updated_at)
        board = board_views.board(draft)
        templates.replace(caller.workspace_id, template_id, board, seen=seen_at)
        return responses.redirect(f"{MATTERS}?board={template_id}", "board.changed")

    show = partial(_page, request, caller, template, seen)
    return drafts.respond(
        form,
        board_views.read(form, board_views.from_template(template)),
        show,
        done=board_views.apply,
        save=save,
    )


@router.post("/{template_id}/delete")
def delete(caller: Admin, template_id: str, form: Posted) -> Response:
    """Delete a board; its matters stay."""
    templates.get(caller.workspace_id, template_id)
    force = check_sure_though_used(form)
    templates.delete(caller.workspace_id, template_id, force=force)
    return responses.redirect(MATTERS, "board.deleted")


def _page(
    request: Request,
    caller: Principal,
    template: MatterTemplate | None,
    seen: str,
    draft: BoardDraft,
    problems: Errors | None = None,
) -> Response:
    used = uses.of_ids(caller.workspace_id, [template.id]) if template else {}
    if template is not None and not seen:
        seen = timestamps.stamp(template.updated_at)
    return responses.page(
        request,
        "board.html",
        caller,
        conflicts.status(problems),
        template=template,
        draft=draft,
        uses=used.get(template.id, ()) if template else (),
        seen=seen,
        kinds=board_views.KINDS,
        types=board_views.TYPES,
        problems=problems or {},
    )
