"""Bounds on every request's body."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, MutableMapping
from typing import Any

from api_bridge.bodies import MAX_BODY_BYTES, limit_of
from api_bridge.middleware.refusing import App, Receive, Scope, Send, refuse, refuse_invalid
from api_bridge.threads import in_thread

MAX_DEPTH = 64
"""Levels; some thousands would end the process that parses or stores them."""
# Possessive, and up to the end when it is not closed: so no body is looked at twice.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
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
        try:
            body = await _read(receive, lambda: limit_of(scope).of(content_type))
        except _TooLarge as error:
            await refuse(scope, send, 413, "PAYLOAD_TOO_LARGE", str(error))
            return
        if body and _JSON.match(content_type):
            # A large one is looked at in a thread, so that other requests go on meanwhile.
            small = len(body) <= MAX_BODY_BYTES
            refused = _problem(body) if small else await in_thread(_problem, body)
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


def _problem(body: bytes) -> str | None:
    """Why a JSON body cannot be taken: PostgreSQL stores no NUL, no half of a pair, no NaN."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "The body is not UTF-8."
    depth = deepest = 0
    for mark in _STRING.sub("", text):
        depth += (mark in "[{") - (mark in "]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        return f"The body is nested deeper than {MAX_DEPTH} levels."
    try:
        parsed = json.loads(text, parse_constant=_no_constant)
        # A number such as 1e999 is parsed as infinity, which no JSON can hold.
        json.dumps(parsed, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return "The body holds half of a surrogate pair."
    except ValueError as error:
        return f"The body is not valid JSON: {error}"
    return "The body holds a NUL character." if "\\u0000" in text and _has_nul(parsed) else None


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_has_nul(item) for item in value)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
