"""CSRF tokens: only a page of ours, shown to the same browser, has the right one."""

from __future__ import annotations

import hmac
import secrets

from fastapi import Request, Response

from automations.domain.principals import Principal
from automations.errors import NotAllowed
from automations.settings import get_settings
from automations.tokens import derive_token

FIELD = "csrf"
_VISITOR = "automations_visitor"


def token(request: Request) -> str:
    """The token for the forms of a page that this request is answered with."""
    caller: Principal | None = getattr(request.state, "caller", None)
    if caller is not None:
        return derive_token(f"form:{caller.session_id or caller.key_id}")
    return derive_token(f"form:visitor:{_visitor(request)}")


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


def check(request: Request, given: object) -> None:
    """Check the token that a form has sent.

    Raises:
        NotAllowed: it is none, or another browser's, or of a session before.
    """
    caller: Principal | None = getattr(request.state, "caller", None)
    if caller is not None and caller.session_id is None:
        return  # The holder of an API key: no browser sends one by itself.
    if not (
        isinstance(given, str) and hmac.compare_digest(given.encode(), token(request).encode())
    ):
        raise NotAllowed(
            "This form is out of date: go back, load its page again, and send it anew."
        )


def _visitor(request: Request) -> str:
    known: str | None = request.cookies.get(_VISITOR) or getattr(request.state, "visitor", None)
    if known is None:
        known = request.state.visitor = secrets.token_urlsafe(24)
    return known
