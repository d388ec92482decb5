"""CORS: pages of other origins may call the API if a setting names them."""

from __future__ import annotations

from functools import lru_cache

from starlette.middleware.cors import CORSMiddleware

from api_bridge.middleware.refusing import App, Receive, Scope, Send
from automations.settings import get_settings

_SHOWN = ("Content-Disposition", "Link", "Location", "Retry-After", "X-Request-Id")


class CrossOrigin:
    """Answers browsers that ask for other origins; API keys only, for no cookie goes along."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._for = lru_cache(maxsize=1)(self._build)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origins = get_settings().cors_origins
        app = self._for(origins) if origins and scope["type"] == "http" else self._app
        await app(scope, receive, send)

    def _build(self, origins: tuple[str, ...]) -> App:
        return CORSMiddleware(
            self._app,
            allow_origins=origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("*",),
            expose_headers=_SHOWN,
        )
