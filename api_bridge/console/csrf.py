"""CSRF tokens: only a page of ours, shown to the same browser, has the right one.

A page's mark follows the token in most forms, so that what is sent twice is done once.
"""

from __future__ import annotations

import hmac
import secrets

from fastapi import Request, Response

from api_bridge import page_marks
from api_bridge.page_marks import SEPARATOR
from automations.domain.principals import Principal
from automations.errors import NotAllowed
from automations.settings import get_settings
from automations.tokens import derive_token

FIELD = page_marks.FIELD
_VISITOR = "automations_visitor"


def token(request: Request) -> str:
    """The token for the forms of a page that this request is answered with."""
    caller: Principal | None = getattr(request.state, "caller", None)
    if caller is not None:
        return derive_token(f"form:{caller.session_id or caller.key_id}")
    return derive_token(f"form:visitor:{_visitor(request)}")


def once(request: Request) -> str:
    """The same with the page's own mark: for forms that are done once, however often sent."""
    return f"{token(request)}{SEPARATOR}{page_marks.new()}"


def remember(request: Request, response: Response) -> None:
    """Have a browser without a session known by its next request, for the form that it gets."""
    if _VISITOR in request.cookies:
        return
    response.set_cookie(
        _VISITOR,
        _visitor(request),
        path="/console",
        httponly=True,
        samesite="strict",
        secure=get_settings().bridge_base.startswith("https:"),
    )


def check(request: Request, sent_token: object) -> None:
    """Check the token that a form has sent.

    Raises:
        NotAllowed: it is none, or another browser's, or of a session before.
    """
    caller: Principal | None = getattr(request.state, "caller", None)
    if caller is not None and caller.session_id is None:
        return  # The holder of an API key: no browser sends one by itself.
    own = sent_token.partition(SEPARATOR)[0] if isinstance(sent_token, str) else ""
    if not hmac.compare_digest(own.encode(), token(request).encode()):
        raise NotAllowed(
            "This form is out of date: go back, load its page again, and send it anew."
        )


def _visitor(request: Request) -> str:
    visitor: str | None = request.cookies.get(_VISITOR) or getattr(request.state, "visitor", None)
    if visitor is None:
        visitor = request.state.visitor = secrets.token_urlsafe(24)
    return visitor
