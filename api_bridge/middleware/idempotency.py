"""``Idempotency-Key``: a POST that is sent again gets the same answer as before.

A form of the console needs no such header: its page's mark and all that it holds are its key.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from fastapi import Request as HttpRequest
from starlette.requests import cookie_parser
from starlette.responses import Response

from api_bridge import page_marks
from api_bridge.cookies import COOKIE
from api_bridge.endpoint_marks import Marks
from api_bridge.errors import domain_error
from api_bridge.middleware.refusing import App, Receive, Scope, Send
from api_bridge.middleware.request_guard import replay
from api_bridge.server.fair_semaphore import FairSemaphore
from api_bridge.server.threads import MAX_OF_A_WORKSPACE, SLOW_THREADS, in_thread
from automations.domain.principals import Principal
from automations.errors import (
    DatabaseUnavailable,
    DomainError,
    InProgress,
    NotAuthenticated,
    Unavailable,
)
from automations.services.access import api_keys, idempotency, sign_ins
from automations.services.access.idempotency import Claim, Request, Stored
from automations.settings import get_settings

Who = Callable[[], Principal]

log = logging.getLogger(__name__)

_REPLAYED = ("idempotent-replayed", "true")
_NOT_STORED = (401, 403, 429)
"""Refusals that the same request may not meet again, so that they are not stored."""
_FORM_WAITS, _FORM_LOOKS_EVERY = 20.0, 0.1
"""Seconds that a form which was sent twice waits for the answer to the first, and between looks:
a browser shows only the answer to the second."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """What tells a request from others.

    Args:
        key: None for a form, whose own content is its key.
    """

    identify: Who
    key: str | None
    content: bytes

    @property
    def is_form(self) -> bool:
        return self.key is None


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
        identify = _who(headers)
        if scope["type"] != "http" or scope["method"] != "POST" or identify is None:
            await self._app(scope, receive, send)
            return
        # In one piece, since the request guard has read it already.
        body = (await receive()).get("body", b"")
        sent, marks = self._recognise(headers, identify, body), self._marks
        if sent is None:
            await self._app(scope, replay(body, receive), send)
            return
        permits = _permits.setdefault(asyncio.get_running_loop(), _Permits())
        async with permits.of(marks).hold(_workspace(scope)):
            try:
                begun = await _claim(scope, sent, marks)
            except NotAuthenticated:
                # The route itself refuses the request, and logs that.
                await self._app(scope, replay(body, receive), send)
                return
            except (DomainError, DatabaseUnavailable) as error:
                await _refuse(error, scope, receive, send)
                return
            if isinstance(begun, Claim):
                await self._carry_out(begun, sent, scope, replay(body, receive), send)
                return
        await _response(begun)(scope, receive, send)

    def _recognise(self, headers: dict[bytes, bytes], identify: Who, body: bytes) -> _Sent | None:
        """What may be sent again; None for what is carried out whenever it comes."""
        if (key := headers.get(b"idempotency-key")) is not None:
            return _Sent(identify, key.decode("latin-1"), body)
        if self._marks.repeatable:
            return None
        marked = page_marks.marked(headers.get(b"content-type", b"").decode("latin-1"), body)
        return None if marked is None else _Sent(identify, None, marked)

    async def _carry_out(
        self, claim: Claim, sent: _Sent, scope: Scope, receive: Receive, send: Send
    ) -> None:
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
            await in_thread(_end, claim, answer, sent)
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


async def _claim(scope: Scope, sent: _Sent, marks: Marks) -> Claim | Stored:
    loop = asyncio.get_running_loop()
    until = loop.time() + (_FORM_WAITS if sent.is_form else 0)
    while True:
        try:
            return await in_thread(_begin, scope, sent, marks)
        except InProgress:
            if loop.time() >= until:
                raise
        await asyncio.sleep(_FORM_LOOKS_EVERY)


def _begin(scope: Scope, sent: _Sent, marks: Marks) -> Claim | Stored:
    caller = sent.identify()
    digest = hashlib.sha256()
    # The caller is part of the request's identity: others might not be allowed to see the answer.
    for part in (
        str(caller.key_id or caller.session_id).encode(),
        scope["method"].encode(),
        scope["path"].encode(),
        scope.get("query_string", b""),
        sent.content,
        *_meaning(scope, sent),
    ):
        digest.update(b"%d:" % len(part) + part)
    sha256 = digest.hexdigest()
    key = f"form:{sha256}" if sent.key is None else sent.key
    request = Request(caller.workspace_id, key, sha256, outside=marks.outside, slow=marks.slow)
    return idempotency.begin(request)


def _meaning(scope: Scope, sent: _Sent) -> Iterator[bytes]:
    """The headers that decide what a body means: its type, and the attributes of an event."""
    # A form has been read by then: a browser chooses another boundary each time.
    for name, value in () if sent.is_form else sorted(scope.get("headers", ())):
        if name == b"content-type" or name.startswith(b"ce-"):
            yield from (name, value)


def _end(claim: Claim, answer: Stored, sent: _Sent) -> None:
    if answer.status >= 500:
        claim.abandon()
    elif answer.status in _NOT_STORED or (sent.is_form and answer.status >= 400):
        # A form that was refused is shown again, and what it says may be right a moment later.
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
