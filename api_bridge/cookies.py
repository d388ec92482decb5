"""The console's session cookie."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from fastapi import Request, Response

from automations.errors import NotAllowed
from automations.settings import get_settings

COOKIE = "automations_session"
_SAFE = ("GET", "HEAD", "OPTIONS")


def set_session(response: Response, token: str, expires_at: datetime) -> None:
    """Let the browser send the session's token; no script can read it."""
    response.set_cookie(
        COOKIE, token, expires=expires_at, httponly=True, samesite="lax", secure=_is_secure()
    )
    response.headers["Cache-Control"] = "no-store"


def clear_session(response: Response) -> None:
    """Let the browser forget the session's token."""
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=_is_secure())


def check_origin(request: Request, *, unless_silent: bool = False) -> None:
    """Check that no page of somebody else has made the browser send a write.

    Args:
        unless_silent: let through what says nothing of where it comes from, which no browser does.

    Raises:
        NotAllowed: it comes from elsewhere, or does not say from where.
    """
    if request.method in _SAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        own = site == "same-origin"
    elif origin is not None:
        own = origin in _origins(request)
    else:
        own = unless_silent
    if not own:
        raise NotAllowed(
            "This request comes from another site, or has neither Sec-Fetch-Site nor Origin: "
            "with a session, only the console's own pages may write. Programs use an API key."
        )


def _origins(request: Request) -> set[str]:
    public = urlsplit(get_settings().bridge_base)
    return {
        f"{public.scheme}://{public.netloc}",
        f"{request.url.scheme}://{request.headers.get('host', '')}",
    }


def _is_secure() -> bool:
    return get_settings().bridge_base.startswith("https:")
