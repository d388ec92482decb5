"""Telemetry of every request: a span, a metric and a log line."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from time import perf_counter
from typing import Any

from opentelemetry.trace import SpanKind

from api_bridge.metrics import Metrics
from api_bridge.middleware.refusing import App, Receive, Scope, Send
from automations.kit import tracing
from automations.services.audit import audit

log = logging.getLogger("api_bridge.requests")

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Routes that machines ask every few seconds."""

# A client may make up others, and each would be a series of its own.
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

        async def send_observed(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._trace(scope, receive, send_observed)
        finally:
            route = _route(scope)
            seconds = perf_counter() - began
            self._metrics.observe(_method(scope), route, status, seconds)
            _log(scope, route, status, seconds)

    async def _trace(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in a span of the caller's trace, or of a new one; without traces, at no cost."""
        header = next((value for name, value in scope["headers"] if name == b"traceparent"), None)
        if header is None and not tracing.is_on():
            await self._app(scope, receive, send)
            return
        with tracing.span(
            scope["method"],
            traceparent=header.decode("latin-1") if header else None,
            kind=SpanKind.SERVER,
        ) as span:

            async def send_traced(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    span.update_name(f"{scope['method']} {_route(scope)}")
                    span.set_attributes(
                        {
                            "http.request.method": scope["method"],
                            "http.route": _route(scope),
                            "http.response.status_code": message["status"],
                            "automations.request_id": scope["state"]["request_id"],
                        }
                    )
                await send(message)

            await self._app(scope, receive, send_traced)


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unmatched")


def _method(scope: Scope) -> str:
    """The method, as it is counted."""
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
