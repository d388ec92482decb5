"""Bounds on every request's body."""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping
from typing import Any

from api_bridge.bodies import MAX_BODY_BYTES, limit_of
from api_bridge.middleware.refusing import App, Receive, Scope, Send, refuse, refuse_invalid
from api_bridge.threads import in_thread
from automations.kit import json_text
from automations.kit.form_bodies import charset_of

_JSON = re.compile(rb"application/(?:[\w.+-]+\+)?json\b", re.IGNORECASE)


class RequestGuard:
    """Reads the body within bounds, and refuses what cannot be stored."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        content_type = headers.get(b"content-type", b"")
        encoding = headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in (b"", b"identity"):
            message = "The body is compressed: send it as it is, without Content-Encoding."
            await refuse(scope, send, 415, "UNSUPPORTED_MEDIA_TYPE", message)
            return
        try:
            body = await _read(receive, lambda: limit_of(scope).of(content_type))
        except _TooLarge as error:
            await refuse(scope, send, 413, "PAYLOAD_TOO_LARGE", str(error))
            return
        if body and _JSON.match(content_type):
            # A large one is looked at in a thread, so that other requests go on meanwhile.
            small = len(body) <= MAX_BODY_BYTES
            given = content_type.decode("latin-1")
            refused = _problem(body, given) if small else await in_thread(_problem, body, given)
            if refused:
                await refuse_invalid(scope, send, "body", refused)
                return
        await self._app(scope, buffered(body, receive), send)


class _TooLarge(Exception):
    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is over {limit} bytes.")


async def _read(receive: Receive, limit_of_route: Callable[[], int]) -> bytes:
    parts: list[bytes] = []
    size, limit = 0, MAX_BODY_BYTES
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        # The route is looked for when it matters: few bodies are so large.
        if size > limit == MAX_BODY_BYTES:
            limit = limit_of_route()
        if size > limit:
            raise _TooLarge(limit)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def buffered(body: bytes, receive: Receive) -> Receive:
    """What gives a body that was read before once more."""
    given = False

    async def read() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return read


def _problem(body: bytes, content_type: str) -> str | None:
    """Why a JSON body cannot be taken."""
    try:
        json_text.parsed(json_text.decoded(body, charset_of(content_type)))
    except ValueError as error:
        return f"The body {error}."
    return None
