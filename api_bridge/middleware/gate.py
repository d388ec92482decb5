"""The outermost middleware: gives requests an id and an address, and refuses ambiguous ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, MutableMapping
from typing import Any

from api_bridge.client_address import client_address
from api_bridge.middleware.refusing import App, Receive, Scope, Send, refuse_invalid
from automations.kit import logs
from automations.kit.host_names import is_answered
from automations.kit.ids import new_id
from automations.services.audit import audit
from automations.settings import get_settings

# A proxy in front of us may name the request; anything else might forge lines of the log.
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ONCE = frozenset(
    {
        *(b"authorization", b"content-encoding", b"content-length", b"content-type", b"cookie"),
        *(b"expect", b"host", b"idempotency-key", b"origin", b"sec-fetch-site", b"traceparent"),
        *(b"transfer-encoding", b"x-request-id"),
        # What deliveries are signed with, and known again by.
        *(b"stripe-signature", b"webhook-id", b"webhook-signature", b"webhook-timestamp"),
        *(b"x-github-delivery", b"x-github-event", b"x-hub-signature", b"x-hub-signature-256"),
    }
)
"""Headers of which one reader takes the first, and another the last."""
_MAX_CONTENT_TYPE = 1_000
"""Bytes; its parameters are read in a time that grows with their square."""
_ONCE_OF_A_KIND = b"ce-"
"""Attributes of CloudEvents."""


class Gate:
    """Names the request, finds out where it comes from, and refuses headers that contradict."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        settings = get_settings()
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        request_id = _request_id(headers) or new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        address = client_address(scope, settings.trusted_proxies)
        # For everything behind this there is one address only.
        scope["client"] = (address, 0) if address else None
        audit.begin(address, request_id)
        logs.bind(requestId=request_id)

        async def send_with_id(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        problem = _problem(scope, settings.answered_hosts)
        if problem is not None:
            await refuse_invalid(scope, send_with_id, *problem)
            return
        await self._app(scope, receive, send_with_id)


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    header = next((value for name, value in headers if name == b"x-request-id"), b"")
    text = header.decode("latin-1")
    return text if _SANE_ID.fullmatch(text) else None


def _problem(scope: Scope, hosts: tuple[str, ...]) -> tuple[str, str] | None:
    """What is wrong with a request but its body: the part and the reason."""
    seen: set[bytes] = set()
    host = None
    for name, value in scope["headers"]:
        if name in seen and (name in _ONCE or name.startswith(_ONCE_OF_A_KIND)):
            shown = name.decode("latin-1")
            return shown, f"The header {shown} comes twice: send it once."
        if name == b"content-type" and len(value) > _MAX_CONTENT_TYPE:
            return "content-type", f"The header Content-Type is over {_MAX_CONTENT_TYPE} bytes."
        seen.add(name)
        if name == b"host":
            host = value.decode("latin-1")
    # HTTP/1.0, which health checks of proxies speak, has no Host; no browser speaks it.
    if host is None and scope.get("http_version") != "1.0":
        return "host", "The header Host is missing."
    if host is not None and not is_answered(host, hosts):
        return "host", (
            "This server is not known by the name in the header Host: "
            "AUTOMATIONS_ALLOWED_HOSTS has further names."
        )
    # psycopg2 refuses a NUL with an error of its own, after the route has begun.
    if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
        return "path", "The address holds a NUL character."
    return None
