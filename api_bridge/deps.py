"""Dependencies of routes: authenticate the caller, and check their role."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from api_bridge import cookies, scopes
from api_bridge.server.threads import in_thread
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
    principal: Principal | None = getattr(request.state, "caller", None)
    if principal is None:
        principal = request.state.caller = await _authenticate(request, credentials, session)
    return principal


async def _authenticate(
    request: Request, credentials: HTTPAuthorizationCredentials | None, session: str | None
) -> Principal:
    if credentials is None:
        if not session:
            raise NotAuthenticated
        return await in_thread(_member, request, session)
    token = credentials.credentials
    holder = api_keys.find_cached(token)
    if holder is None:
        holder = await in_thread(api_keys.authenticate, token)
    return holder


def _member(request: Request, token: str) -> Principal:
    member = sign_ins.authenticate(token)
    cookies.check_origin(request)
    return member


class AtLeast:
    """Lets through who has a role, or one above it, and the scope that the route asks for."""

    def __init__(self, role: str) -> None:
        self._role = role

    # Without waiting in it, and yet async: so it costs no change of thread.
    async def __call__(
        self, request: Request, caller: Annotated[Principal, Depends(_caller)]
    ) -> Principal:
        if not caller.may(self._role):
            raise NotAllowed(
                f"This needs the role {self._role}; {_holder(caller)} has {caller.role}."
            )
        scopes.check(request, caller.scopes)
        return caller

    async def admit(self, request: Request) -> None:
        """Check the same before the body is read: nobody else has us hold, or parse, megabytes."""
        caller = await _caller(request, await _bearer(request), await _cookie(request))
        await self(request, caller)


# As above, without waiting.
async def admitted_caller(request: Request) -> Principal:
    """The caller, whom ``AtLeast.admit`` has let through before."""
    caller: Principal = request.state.caller
    return caller


Viewer = Annotated[Principal, Depends(AtLeast("VIEWER"))]
Member = Annotated[Principal, Depends(AtLeast("MEMBER"))]
Admin = Annotated[Principal, Depends(AtLeast("ADMIN"))]


Forced = Annotated[
    bool,
    Query(
        alias="force", description="Delete it even if ACTIVE automations use it, which then fail."
    ),
]


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
