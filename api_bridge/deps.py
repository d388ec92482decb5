"""Who asks, and whether they may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from api_bridge import cookies, scopes
from api_bridge.threads import in_thread
from automations.errors import NotAllowed, NotAuthenticated
from automations.services.access import api_keys, sign_ins
from automations.services.access.api_keys import RANKS, Grantor
from automations.services.workflows.workflows import Maker

_bearer = HTTPBearer(auto_error=False, description="An API key, sk_…")

_cookie = APIKeyCookie(
    name=cookies.COOKIE, auto_error=False, description="A member's session: POST /api/session."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of an API key, or a member who has signed in.

    Args:
        name: the key's, or the member's address.
        key_id: None for a member with a session.
        scopes: what a key is limited to; None is no limit.
    """

    workspace_id: str
    role: str
    name: str
    key_id: str | None
    member_id: str | None
    scopes: Sequence[str] | None
    session_id: str | None = None

    @property
    def grantor(self) -> Grantor:
        """The caller as somebody who makes and changes API keys."""
        return Grantor(self.workspace_id, self.role, self.scopes)

    @property
    def maker(self) -> Maker:
        """The caller as somebody who makes automations."""
        return Maker(self.workspace_id, self.name, self.key_id, self.member_id)

    @property
    def administers(self) -> bool:
        """Whether secrets of the workspace, such as webhook URLs, are shown."""
        return RANKS[self.role] >= RANKS["ADMIN"]


async def _caller(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    session: Annotated[str | None, Depends(_cookie)],
) -> Caller:
    if credentials is None:
        if not session:
            raise NotAuthenticated
        return await in_thread(_member, request, session)
    token = credentials.credentials
    key = api_keys.recognised(token)
    if key is None:
        key = await in_thread(api_keys.authenticate, token)
    return Caller(key.workspace_id, key.role, key.name, key.id, key.member_id, key.scopes)


def _member(request: Request, token: str) -> Caller:
    found = sign_ins.authenticate(token)
    cookies.refuse_foreign(request)
    return Caller(
        found.workspace_id, found.role, found.email, None, found.member_id, None, found.id
    )


def _at_least(role: str) -> Callable[[Request, Caller], Awaitable[Caller]]:
    # Without waiting in it, and yet async: so it costs no change of thread.
    async def check(request: Request, caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        if RANKS[caller.role] < RANKS[role]:
            raise NotAllowed(f"This needs the role {role}; {_holder(caller)} has {caller.role}.")
        scopes.check(request, caller.scopes)
        return caller

    return check


Viewer = Annotated[Caller, Depends(_at_least("VIEWER"))]
Member = Annotated[Caller, Depends(_at_least("MEMBER"))]
Admin = Annotated[Caller, Depends(_at_least("ADMIN"))]


def _holder(caller: Caller) -> str:
    return "the API key" if caller.session_id is None else caller.name


def client_address(request: Request) -> str:
    """Where a request comes from; proxies' headers are not believed."""
    return request.client.host if request.client else "unknown"
