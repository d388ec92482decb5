"""Guards a route: checks who asks, then the query and the headers, and only then reads the body."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import HTTPException, Request, Response

from api_bridge.bodies import BodyLimit
from api_bridge.deps import client_address
from api_bridge.middleware.held_bodies import HeldBody
from api_bridge.middleware.refusing import App, Receive, Scope, Send
from api_bridge.query_names import QueryNames
from api_bridge.server.threads import in_thread
from automations.errors import TooLarge
from automations.kit.networks import network

_SAFE = ("GET", "HEAD")
_PLAIN = ("", "identity")
_SMALL_BODY = 64_000
"""Bytes; for a body that is no larger, the address is not looked up an extra time beforehand."""
BODY_TIMEOUT = 300
"""Seconds within which a body must arrive; 16 MB take as long at half a megabit a second."""


class RequestGuard:
    """The guard of one route.

    Args:
        admit: authenticates the caller; None for a public route.
        query: the parameters that the route knows; None if it accepts any.
        look: of a public route, refuses an unknown address before a large body is read.
    """

    def __init__(
        self,
        app: App,
        admit: Callable[[Request], Awaitable[object]] | None,
        query: QueryNames | None,
        limit: BodyLimit,
        look: Callable[[Request], Response | None] | None = None,
    ) -> None:
        self._app = app
        self._admit = admit
        self._query = query
        self._limit = limit
        self._look = look

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
        announced, limit = _announced_length(request), self._limit.of(content_type)
        if announced is not None and announced > limit:
            raise _too_large(limit)
        if self._look is not None and (announced is None or announced > _SMALL_BODY):
            refusal = await in_thread(self._look, request)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        held = _held_body(request)
        try:
            body = await _read(receive, announced, limit, held)
            if body is None:
                # The sender is gone: half a body is not processed, and there is nobody to answer.
                return
            await self._app(scope, replay(body, receive), send)
        finally:
            held.release()


def _announced_length(request: Request) -> int | None:
    """The length of the body according to its header."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def _held_body(request: Request) -> HeldBody:
    caller = getattr(request.state, "caller", None)
    if caller is None:
        return HeldBody(network(client_address(request)), is_known=False)
    return HeldBody(str(caller.workspace_id), is_known=True)


async def _read(receive: Receive, length: int | None, limit: int, held: HeldBody) -> bytes | None:
    """The whole body, or None if it breaks off."""
    parts: list[bytes] = []
    size = 0
    until = asyncio.get_running_loop().time() + BODY_TIMEOUT
    while True:
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408, f"The body has not come within {BODY_TIMEOUT} s.") from error
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        held.grow(len(part))
        parts.append(part)
        if not message.get("more_body"):
            # Not every server or proxy notices that less arrived than was announced.
            return b"".join(parts) if length in (None, size) else None


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is over {limit} bytes.")


def replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that returns a body that was already read."""
    is_sent = False

    async def read() -> MutableMapping[str, Any]:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return read
