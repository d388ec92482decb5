"""Who asks, and whether they may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from automations.errors import NotAllowed, NotAuthenticated
from automations.services import api_keys

RANKS = {"VIEWER": 0, "MEMBER": 1, "ADMIN": 2, "OWNER": 3}
_bearer = HTTPBearer(auto_error=False, description="An API key, sk_…")


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of an API key."""

    workspace_id: str
    role: str
    name: str
    key_id: str
    member_id: str | None

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
    return Caller(key.workspace_id, key.role, key.name, key.id, key.member_id)


def _at_least(role: str) -> Callable[[Caller], Caller]:
    def check(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        if RANKS[caller.role] < RANKS[role]:
            raise NotAllowed(f"This needs the role {role}; the API key has {caller.role}.")
        return caller

    return check


Viewer = Annotated[Caller, Depends(_at_least("VIEWER"))]
Member = Annotated[Caller, Depends(_at_least("MEMBER"))]
Admin = Annotated[Caller, Depends(_at_least("ADMIN"))]


def client_address(request: Request) -> str:
    """Where a request comes from; proxies' headers are not believed."""
    return request.client.host if request.client else "unknown"
