"""``Idempotency-Key``: a POST that is sent again gets the same answer as before."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from fastapi import Request as HttpRequest
from starlette.requests import cookie_parser
from starlette.responses import Response

from api_bridge.cookies import COOKIE
from api_bridge.endpoint_marks import Marks
from api_bridge.errors import domain_error
from api_bridge.middleware.refusing import App, Receive, Scope, Send
from api_bridge.middleware.request_guard import replay
from api_bridge.server.fair_semaphore import FairSemaphore
from api_bridge.server.threads import MAX_OF_A_WORKSPACE, SLOW_THREADS, in_thread
from automations.domain.principals import Principal
from automations.errors import DatabaseUnavailable, DomainError, NotAuthenticated, Unavailable
from automations.services.access import api_keys, idempotency, sign_ins
from automations.services.access.idempotency import Claim, Request, Stored
from automations.settings import get_settings

Who = Callable[[], Principal]

log = logging.getLogger(__name__)

_REPLAYED = ("idempotent-replayed", "true")
_NOT_STORED = (401, 403, 429)
"""Refusals that the same request may not meet again, so that they are not stored."""


class Idempotency:
    """Carries out a POST with an ``Idempotency-Key`` once, if its caller is authenticated.

    Args:
        marks: those of the route's endpoint.
    """

    def __init__(self, app: App, marks: Marks) -> None:
        self._app = app
        self._marks = marks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        key, identify = headers.get(b"idempotency-key"), _who(headers)
        if scope["type"] != "http" or scope["method"] != "POST" or key is None or identify is None:
            await self._app(scope, receive, send)
            return
        # In one piece, since the request guard has read it already.
        body = (await receive()).get("body", b"")
        marks = self._marks
        permits = _permits.setdefault(asyncio.get_running_loop(), _Permits())
        async with permits.of(marks).hold(_workspace(scope)):
            try:
                begun = await in_thread(_begin, scope, key.decode("latin-1"), identify, body, marks)
            except NotAuthenticated:
                # The route itself refuses the request, and logs that.
                await self._app(scope, replay(body, receive), send)
                return
            except (DomainError, DatabaseUnavailable) as error:
                await _refuse(error, scope, receive, send)
                return
            if isinstance(begun, Claim):
                await self._carry_out(begun, scope, replay(body, receive), send)
                return
        await _response(begun)(scope, receive, send)

    async def _carry_out(self, claim: Claim, scope: Scope, receive: Receive, send: Send) -> None:
        started: MutableMapping[str, Any] = {}
        parts: list[bytes] = []

        async def keep(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                parts.append(message.get("body", b""))

        scope["state"]["claim_id"] = claim.id
        try:
            with claim.hold():
                await self._app(scope, receive, keep)
        except BaseException:
            await in_thread(claim.abandon)
            raise
        answer = Stored(
            started["status"],
            [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in started.get("headers", [])
            ],
            b"".join(parts).decode("latin-1"),
        )
        # Stored before it is sent, so that a client which has seen an answer gets the same again.
        try:
            await in_thread(_end, claim, answer)
        except DatabaseUnavailable as away:
            if not self._marks.outside:
                # The transaction failed, so nothing of what the answer says has happened.
                await _refuse(away, scope, receive, send)
                return
            log.warning("The answer of an idempotent request is not kept: %s", away.__cause__)
        await send(started)
        await send({"type": "http.response.body", "body": b"".join(parts)})


class _Permits:
    """Limits how many requests with keys run at once, since each holds a connection meanwhile."""

    def __init__(self) -> None:
        # More could not make progress, since each of them needs a thread from time to time.
        threads = get_settings().bridge_threads
        self._quick = FairSemaphore(threads, per_key=threads)
        self._waiting = FairSemaphore(threads, per_key=threads // 2)
        self._slow = FairSemaphore(SLOW_THREADS, per_key=MAX_OF_A_WORKSPACE)

    def of(self, marks: Marks) -> FairSemaphore:
        if marks.slow or marks.outside:
            return self._slow
        return self._waiting if marks.searching or marks.changing else self._quick


_permits: WeakKeyDictionary[asyncio.AbstractEventLoop, _Permits] = WeakKeyDictionary()
"""One for each event loop, shared by all routes."""


def _who(headers: dict[bytes, bytes]) -> Who | None:
    """A function that authenticates the caller, by an API key or else by a session."""
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme:
        key = token.strip()
        return partial(api_keys.authenticate, key) if scheme.lower() == "bearer" and key else None
    session = cookie_parser(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE)
    return partial(sign_ins.authenticate, session) if session else None


def _workspace(scope: Scope) -> str:
    """The caller's workspace; empty for a public route, which does not know the caller."""
    caller: Principal | None = scope.get("state", {}).get("caller")
    return "" if caller is None else caller.workspace_id


def _begin(scope: Scope, key: str, identify: Who, body: bytes, marks: Marks) -> Claim | Stored:
    caller = identify()
    digest = hashlib.sha256()
    # The caller is part of the request's identity: others might not be allowed to see the answer.
    for part in (
        str(caller.key_id or caller.session_id).encode(),
        scope["method"].encode(),
        scope["path"].encode(),
        scope.get("query_string", b""),
        body,
    ):
        digest.update(b"%d:" % len(part) + part)
    request = Request(
        caller.workspace_id, key, digest.hexdigest(), outside=marks.outside, slow=marks.slow
    )
    return idempotency.begin(request)


def _end(claim: Claim, answer: Stored) -> None:
    if answer.status >= 500:
        claim.abandon()
    elif answer.status in _NOT_STORED:
        claim.refuse()
    else:
        claim.finish(answer)


async def _refuse(
    error: DomainError | DatabaseUnavailable, scope: Scope, receive: Receive, send: Send
) -> None:
    refused = Unavailable(error.message) if isinstance(error, DatabaseUnavailable) else error
    await domain_error(HttpRequest(scope), refused)(scope, receive, send)


def _response(stored: Stored) -> Response:
    response = Response(stored.body.encode("latin-1"), stored.status)
    response.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in (*stored.headers, _REPLAYED)
    ]
    return response
