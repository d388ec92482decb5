"""Where the console begins, what its pages load, and how it looks to a reader."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import addresses, answers
from api_bridge.console.assets import ASSETS
from api_bridge.console.posted import Posted, text
from api_bridge.deps import Viewer
from api_bridge.natures import any_query
from api_bridge.routing import Router
from automations.errors import NotFound, ValidationFailed
from automations.settings import get_settings

router = Router(prefix=addresses.ROOT, tags=["session"])

_YEAR = 365 * 24 * 3600


@router.get("")
def begin(caller: Viewer) -> Response:
    """Lead to the first page."""
    return answers.lead_on(addresses.HOME)


@router.get("/static/{name}")
@any_query
def load(name: str) -> Response:
    """A style or a script of the pages."""
    found = ASSETS.get(name)
    if found is None:
        raise NotFound(f"There is no file {name}.")
    return Response(found.content, headers=dict(found.headers), media_type=found.media_type)


@router.post("/theme")
def choose_theme(request: Request, caller: Viewer, form: Posted) -> Response:
    """Show pages light, dark, or as the reader's system is."""
    theme = text(form, "theme")
    if theme not in (*answers.THEMES, "system"):
        raise ValidationFailed({"theme": ["must be light, dark or system"]})
    answer = answers.lead_on(addresses.safe(text(form, "next")))
    secure = get_settings().bridge_base.startswith("https:")
    if theme == "system":
        answer.delete_cookie(answers.THEME, path=addresses.ROOT)
    else:
        answer.set_cookie(
            answers.THEME,
            theme,
            max_age=_YEAR,
            path=addresses.ROOT,
            samesite="lax",
            secure=secure,
        )
    return answer
