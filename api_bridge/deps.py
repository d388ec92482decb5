"""Who asks, and whether they may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_bridge import scopes
from automations.errors import NotAllowed, NotAuthenticated
from automations.services import api_keys
from automations.services.api_keys import RANKS, Grantor

_bearer = HTTPBearer(auto_error=False, description="An API key, sk_…")


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of an API key."""

    workspace_id: str
    role: str
    name: str
    key_id: str
    member_id: str | None
    scopes: Sequence[str] | None

    @property
    def grantor(self) -> Grantor:
        """The caller as somebody who makes and changes API keys."""
        return Grantor(self.workspace_id, self.role, self.scopes)

    @property
    def administers(self) -> bool:
        """Whether secrets of the workspace, such as webhook URLs, are shown."""
        return RANKS[self.role] >= RANKS["ADMIN"]


def _caller(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    if credentials is None:
        raise NotAuthenticated
    key = api_keys.authenticate(credentials.credentials)
    return Caller(key.workspace_id, key.role, key.name, key.id, key.member_id, key.scopes)


def _at_least(role: str) -> Callable[[Request, Caller], Awaitable[Caller]]:
    # Without waiting in it, and yet async: so it costs no change of thread.
    async def check(request: Request, caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        if RANKS[caller.role] < RANKS[role]:
            raise NotAllowed(f"This needs the role {role}; the API key has {caller.role}.")
        scopes.check(request, caller.scopes)
        return caller

    return check


Viewer = Annotated[Caller, Depends(_at_least("VIEWER"))]
Member = Annotated[Caller, Depends(_at_least("MEMBER"))]
Admin = Annotated[Caller, Depends(_at_least("ADMIN"))]


def client_address(request: Request) -> str:
    """Where a request comes from; proxies' headers are not believed."""
    return request.client.host if request.client else "unknown"
