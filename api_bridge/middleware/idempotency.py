"""``Idempotency-Key``: a POST that is sent again gets the answer that it has had."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any

from fastapi import Request
from starlette.requests import cookie_parser
from starlette.responses import Response

from api_bridge.cookies import COOKIE
from api_bridge.errors import domain_error
from api_bridge.middleware.refusing import App, Receive, Scope, Send
from api_bridge.middleware.request_guard import buffered
from api_bridge.threads import in_thread
from automations.domain.principals import Principal
from automations.errors import DatabaseUnavailable, DomainError, NotAuthenticated, Unavailable
from automations.services.access import api_keys, idempotency, sign_ins
from automations.services.access.idempotency import Claim, Stored

Who = Callable[[], Principal]

log = logging.getLogger(__name__)

_REPLAYED = ("idempotent-replayed", "true")
_NOT_KEPT = (401, 403, 429)
"""Refusals that the same request need not meet again."""


class Idempotency:
    """Carries out a POST with an ``Idempotency-Key`` once; for those who say who they are."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        key, who = headers.get(b"idempotency-key"), _who(headers)
        if scope["type"] != "http" or scope["method"] != "POST" or key is None or who is None:
            await self._app(scope, receive, send)
            return
        # Whole already: the request guard has read it.
        body = (await receive()).get("body", b"")
        try:
            begun = await in_thread(_begin, scope, key.decode("latin-1"), who, body)
        except NotAuthenticated:
            # The route refuses it, and notes that.
            await self._app(scope, buffered(body, receive), send)
            return
        except DomainError as error:
            await domain_error(Request(scope), error)(scope, receive, send)
            return
        except DatabaseUnavailable as away:
            refused = Unavailable(away.message)
            await domain_error(Request(scope), refused)(scope, receive, send)
            return
        if isinstance(begun, Stored):
            await _response(begun)(scope, receive, send)
            return
        await self._carry_out(begun, scope, buffered(body, receive), send)

    async def _carry_out(self, claim: Claim, scope: Scope, receive: Receive, send: Send) -> None:
        started: MutableMapping[str, Any] = {}
        parts: list[bytes] = []

        async def keep(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                parts.append(message.get("body", b""))

        try:
            await self._app(scope, receive, keep)
        except BaseException:
            await in_thread(_release, claim)
            raise
        # Kept before it is sent: a client that has seen an answer gets the same one again.
        answer = Stored(
            started["status"],
            [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in started.get("headers", [])
            ],
            b"".join(parts).decode("latin-1"),
        )
        await in_thread(_finish, claim, answer)
        await send(started)
        await send({"type": "http.response.body", "body": b"".join(parts)})


def _who(headers: dict[bytes, bytes]) -> Who | None:
    """What tells who asks: by an API key, else by a session."""
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme:
        key = token.strip()
        return partial(api_keys.authenticate, key) if scheme.lower() == "bearer" and key else None
    session = cookie_parser(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE)
    return partial(sign_ins.authenticate, session) if session else None


def _begin(scope: Scope, key: str, who: Who, body: bytes) -> Claim | Stored:
    caller = who()
    digest = hashlib.sha256()
    # Who asks is a part of the request: another one might not be allowed this answer.
    for part in (
        str(caller.key_id or caller.session_id).encode(),
        scope["method"].encode(),
        scope["path"].encode(),
        scope.get("query_string", b""),
        body,
    ):
        digest.update(b"%d:" % len(part) + part)
    return idempotency.begin(caller.workspace_id, key, digest.hexdigest())


def _finish(claim: Claim, answer: Stored) -> None:
    try:
        if answer.status >= 500 or answer.status in _NOT_KEPT:
            idempotency.release(claim)
        else:
            idempotency.finish(claim, answer)
    except DatabaseUnavailable as away:
        log.warning("The answer of an idempotent request could not be kept: %s", away.__cause__)


def _release(claim: Claim) -> None:
    try:
        idempotency.release(claim)
    except DatabaseUnavailable as away:
        log.warning("An idempotency key could not be released: %s", away.__cause__)


def _response(stored: Stored) -> Response:
    response = Response(stored.body.encode("latin-1"), stored.status)
    response.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in (*stored.headers, _REPLAYED)
    ]
    return response
