"""New automations: empty ones, from a file, and those of the gallery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from api_bridge.console import responses
from api_bridge.console.form_data import Posted, text
from api_bridge.console.routes import builder_pages
from api_bridge.console.views import draft_texts, flow, triggers
from api_bridge.deps import Admin
from api_bridge.endpoint_marks import slow
from api_bridge.routing import Router
from automations import wiring
from automations.definitions import editing
from automations.domain.principals import Principal
from automations.errors import ValidationFailed
from automations.kit.values import Errors
from automations.services.gallery import gallery
from automations.services.workflows import workflows

router = Router(prefix="/console/workflows/new", tags=["workflows"])


@router.get("")
def show(request: Request, caller: Admin) -> Response:
    """How to begin: with nothing, with a file, or with one that is ready."""
    return _page(request, caller)


@router.post("")
def create(request: Request, caller: Admin, form: Posted) -> Response:
    """Make an automation without steps, or what a file says, and open it in the builder."""
    written = text(form, "yaml").strip()
    try:
        if written:
            definition = draft_texts.read_yaml({}, written)
        else:
            definition = {"name": text(form, "name").strip(), "steps": []}
        created = workflows.create(caller, {**definition, "status": "DRAFT"}, wiring.ports())
    except ValidationFailed as error:
        return _page(request, caller, form, error.field_errors)
    return responses.redirect(builder_pages.address(created.id, ""), "edit.begun")


@router.post("/{slug}")
@slow
def use(caller: Admin, slug: str, form: Posted) -> Response:
    """Make a draft of one of the gallery, and open it in the builder."""
    used = gallery.use(caller, slug, wiring.ports(), wiring.document_renderer())
    return responses.redirect(builder_pages.address(used.id, ""), "gallery.used")


def _page(
    request: Request,
    caller: Principal,
    form: FormData | None = None,
    problems: Errors | None = None,
) -> Response:
    shown = [
        {
            "slug": entry.slug,
            "category": entry.category,
            "name": entry.name,
            "about": entry.about,
            "needs": entry.needs,
            "trigger": triggers.describe(_flat(entry.definition)),
            "icons": _icons(entry),
        }
        for entry in gallery.entries()
    ]
    return responses.page(
        request,
        "new.html",
        caller,
        400 if problems else 200,
        entries=shown,
        name=text(form, "name") if form is not None else "",
        written=text(form, "yaml") if form is not None else "",
        problems=problems or {},
    )


def _flat(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A definition as it is stored, its trigger flat."""
    trigger = definition["trigger"]
    return {**definition, "trigger": {**trigger.get("config", {}), "type": trigger["type"]}}


def _icons(entry: gallery.Entry) -> list[tuple[str, str]]:
    """The kinds of its steps, each once, in their order."""
    drawn = flow.walk(flow.build_steps(editing.lay_out(entry.definition)))
    return list(dict.fromkeys((step.icon, step.title) for step in drawn))
