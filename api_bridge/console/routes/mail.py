"""Where the mail went that was caught, on an installation that sends none."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import responses
from api_bridge.deps import Admin
from api_bridge.routing import Router
from automations.services.access.bootstrap import ensure_workspace
from automations.settings import get_settings

router = Router(prefix="/console/mail", tags=["mail"])


@router.get("")
def show(request: Request, caller: Admin) -> Response:
    """What becomes of mail here, and the way to what was caught.

    The catcher holds the mail of all workspaces, and with it links that decide: it is for those
    who administer the default one, as what concerns the whole installation is.
    """
    settings = get_settings()
    is_home = caller.workspace_id == ensure_workspace()
    return responses.page(
        request,
        "mail.html",
        caller,
        caught=settings.catches_mail,
        address=f"{settings.mail_base}/" if settings.catches_mail and is_home else None,
    )
