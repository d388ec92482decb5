"""Redirects addresses with a trailing slash to those without."""

from __future__ import annotations

from urllib.parse import unquote

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from starlette.routing import Match
from starlette.types import Receive, Scope, Send


def redirect(app: FastAPI) -> None:
    """Redirect from ``/api/workflows/`` to ``/api/workflows``, for all routes.

    Starlette does so too, but to the host that the request names, which may be anybody's.
    """
    not_found = app.router.default

    async def otherwise(scope: Scope, receive: Receive, send: Send) -> None:
        # As it was written: a question mark, or a slash, in a name would be none any more. It has
        # no host, and what begins with two slashes, which would be read as one, is no route's.
        raw_path = scope["raw_path"].decode("latin-1")
        written = raw_path.rstrip("/")
        if written == raw_path or not _has_route(app, {**scope, "path": unquote(written)}):
            await not_found(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        answer = RedirectResponse(f"{written}?{query}" if query else written)
        await answer(scope, receive, send)

    app.router.redirect_slashes = False
    app.router.default = otherwise


def _has_route(app: FastAPI, scope: Scope) -> bool:
    return any(route.matches(scope)[0] is not Match.NONE for route in app.router.routes)
