"""Where the console begins, what its pages load, and how it looks to a reader."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import responses, urls
from api_bridge.console.assets import ASSETS
from api_bridge.console.form_data import Posted, text
from api_bridge.deps import Viewer
from api_bridge.endpoint_marks import any_query, repeatable
from api_bridge.routing import Router
from automations.domain.statuses import RunStatus, WorkflowStatus
from automations.errors import NotFound, ValidationFailed
from automations.services.access import members
from automations.services.gallery import gallery
from automations.services.workflows import workflows
from automations.settings import get_settings

router = Router(prefix=urls.ROOT, tags=["session"])

START = f"{urls.ROOT}/start"
_YEAR = 365 * 24 * 3600


@router.get("")
def begin(caller: Viewer) -> Response:
    """Lead to the first page: to what is to be done first, where nothing has run yet."""
    _, runs = workflows.stats(caller.workspace_id)
    return responses.redirect(urls.HOME if runs else START)


@router.get("/start")
def start(request: Request, caller: Viewer) -> Response:
    """What to do next, for whoever begins."""
    automations, runs = workflows.stats(caller.workspace_id)
    done = {
        "automation": sum(automations.values()) > 0,
        "active": automations.get(WorkflowStatus.ACTIVE, 0) > 0,
        "run": runs.get(RunStatus.COMPLETED, 0) > 0,
        "members": len(members.list_all(caller.workspace_id)) > 1,
    }
    ready = len(gallery.entries())
    return responses.page(request, "start.html", caller, done=done, ready=ready)


@router.get("/static/{name}")
@any_query
def load(name: str) -> Response:
    """A style or a script of the pages."""
    asset = ASSETS.get(name)
    if asset is None:
        raise NotFound(f"There is no file {name}.")
    return Response(asset.content, headers=dict(asset.headers), media_type=asset.media_type)


@router.post("/theme")
@repeatable
def choose_theme(request: Request, caller: Viewer, form: Posted) -> Response:
    """Show pages light, dark, or as the reader's system is."""
    theme = text(form, "theme")
    if theme not in (*responses.THEMES, "system"):
        raise ValidationFailed({"theme": ["must be light, dark or system"]})
    answer = responses.redirect(urls.safe(text(form, "next")))
    secure = get_settings().bridge_base.startswith("https:")
    if theme == "system":
        answer.delete_cookie(responses.THEME, path=urls.ROOT)
    else:
        answer.set_cookie(
            responses.THEME,
            theme,
            max_age=_YEAR,
            path=urls.ROOT,
            samesite="lax",
            secure=secure,
        )
    return answer
