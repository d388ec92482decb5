"""Types for middleware, and how it refuses a request."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from api_bridge.error_bodies import error_body

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def refuse_invalid(scope: Scope, send: Send, part: str, error: str) -> None:
    """Answer that a part of the request is invalid."""
    details = {"fieldErrors": {part: [error]}}
    await refuse(scope, send, 400, "VALIDATION_ERROR", error, details)


async def refuse(
    scope: Scope,
    send: Send,
    status: int,
    code: str,
    error: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Answer with the platform's envelope, or with a problem to who asks for that."""
    accepts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"accept"]
    content, media_type = error_body(
        ", ".join(accepts), status, error, code, scope["state"]["request_id"], details
    )
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
