"""What is known of every request once it is answered: a line in the log, and a metric."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from time import perf_counter
from typing import Any

from api_bridge.metrics import Metrics
from api_bridge.middleware import App, Receive, Scope, Send
from automations import audit

log = logging.getLogger("api_bridge.requests")

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Routes that machines ask every few seconds."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observation:
    """Notes every request by its route; the address itself may hold a token."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        # Of a bug, which is answered outside of all middleware.
        status = 500

        async def seen(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            seconds = perf_counter() - began
            self._metrics.observe(_method(scope), route, status, seconds)
            _log(scope, route, status, seconds)


def _method(scope: Scope) -> str:
    """The method; what somebody made up is one series of metrics, not many."""
    method: str = scope["method"]
    return method if method in _METHODS else "other"


def _log(scope: Scope, route: str, status: int, seconds: float) -> None:
    level = logging.DEBUG if route in QUIET else logging.INFO
    if log.isEnabledFor(level):
        origin = audit.current()
        about = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
            "workspaceId": origin.workspace_id,
            "actor": origin.actor.type,
            "actorId": origin.actor.id,
        }
        log.log(level, "Answered a request", extra=about)
