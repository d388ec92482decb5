"""What a request must pass before its endpoint: who asks, what for, and only then its body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import HTTPException, Request

from api_bridge.bodies import BodyLimit
from api_bridge.middleware.refusing import App, Receive, Scope, Send
from api_bridge.query_names import QueryNames
from automations.errors import TooLarge

_SAFE = ("GET", "HEAD")
_PLAIN = ("", "identity")


class RequestGuard:
    """Stands before one route.

    Args:
        admit: checks who asks; None where everybody may.
        query: the parameters that the route knows; None where it takes any.
    """

    def __init__(
        self,
        app: App,
        admit: Callable[[Request], Awaitable[object]] | None,
        query: QueryNames | None,
        limit: BodyLimit,
    ) -> None:
        self._app = app
        self._admit = admit
        self._query = query
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if self._admit is not None:
            await self._admit(request)
        if self._query is not None:
            self._query.check(request.query_params)
        if scope["method"] in _SAFE:
            await self._app(scope, receive, send)
            return
        if request.headers.get("content-encoding", "identity").strip().lower() not in _PLAIN:
            raise HTTPException(415, "Send the body as it is, without Content-Encoding.")
        content_type = request.headers.get("content-type", "")
        body = await _read(
            receive, request.headers.get("content-length", ""), self._limit.of(content_type)
        )
        if body is None:
            # Whoever has sent it is gone: nothing is done with a half, and nobody to be told.
            return
        await self._app(scope, buffered(body, receive), send)


async def _read(receive: Receive, announced: str, limit: int) -> bytes | None:
    """The whole body, or None when it breaks off."""
    length = int(announced) if announced.isascii() and announced.isdigit() else None
    if length is not None and length > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body"):
            # Not every server or proxy sees that less came than was announced.
            return b"".join(parts) if length in (None, size) else None


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is over {limit} bytes.")


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
