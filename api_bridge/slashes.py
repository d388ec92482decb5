"""An address with a slash too many leads to the one without."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from starlette.routing import Match
from starlette.types import Receive, Scope, Send


def lead_on(app: FastAPI) -> None:
    """Redirect from ``/api/workflows/`` to ``/api/workflows``, for all routes.

    Starlette does so too, but to the host that the request names, which may be anybody's.
    """
    not_found = app.router.default

    async def otherwise(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").rstrip("/")
        if path == scope.get("path") or not _has_route(app, {**scope, "path": path}):
            await not_found(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        answer = RedirectResponse(f"{path}?{query}" if query else path)
        await answer(scope, receive, send)

    app.router.redirect_slashes = False
    app.router.default = otherwise


def _has_route(app: FastAPI, scope: Scope) -> bool:
    return any(route.matches(scope)[0] is not Match.NONE for route in app.router.routes)
