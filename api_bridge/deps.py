"""Who asks, and whether they may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from api_bridge import cookies, scopes
from api_bridge.threads import in_thread
from automations.domain.principals import Principal
from automations.errors import NotAllowed, NotAuthenticated
from automations.kit.ids import new_id
from automations.services.access import api_keys, sign_ins

_bearer = HTTPBearer(auto_error=False, description="An API key, sk_…")

_cookie = APIKeyCookie(
    name=cookies.COOKIE, auto_error=False, description="A member's session: POST /api/session."
)


async def _caller(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    session: Annotated[str | None, Depends(_cookie)],
) -> Principal:
    if credentials is None:
        if not session:
            raise NotAuthenticated
        return await in_thread(_member, request, session)
    token = credentials.credentials
    holder = api_keys.recognised(token)
    if holder is None:
        holder = await in_thread(api_keys.authenticate, token)
    return holder


def _member(request: Request, token: str) -> Principal:
    member = sign_ins.authenticate(token)
    cookies.check_origin(request)
    return member


def _at_least(role: str) -> Callable[[Request, Principal], Awaitable[Principal]]:
    # Without waiting in it, and yet async: so it costs no change of thread.
    async def check(request: Request, caller: Annotated[Principal, Depends(_caller)]) -> Principal:
        if not caller.may(role):
            raise NotAllowed(f"This needs the role {role}; {_holder(caller)} has {caller.role}.")
        scopes.check(request, caller.scopes)
        return caller

    return check


Viewer = Annotated[Principal, Depends(_at_least("VIEWER"))]
Member = Annotated[Principal, Depends(_at_least("MEMBER"))]
Admin = Annotated[Principal, Depends(_at_least("ADMIN"))]


async def _effect_id(request: Request) -> str:
    return getattr(request.state, "claim_id", None) or new_id()


EffectId = Annotated[str, Depends(_effect_id)]
"""What keys of effects outside are made from: the same when a request that has an
``Idempotency-Key`` was lost and is sent again."""


def _holder(caller: Principal) -> str:
    return "the API key" if caller.session_id is None else caller.name


def client_address(request: Request) -> str:
    """Where a request comes from, as the gate has found out."""
    return request.client.host if request.client else "unknown"
