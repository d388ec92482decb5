"""API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import Request, Response
from pydantic import Field, StringConstraints

from api_bridge import links, scopes
from api_bridge.bodies import Body
from api_bridge.deps import Admin
from api_bridge.instants import Instant
from api_bridge.paging import Behind, Limit
from api_bridge.routing import Router
from api_bridge.views import audit as audit_views
from automations.kit.titles import Name
from automations.services.access import api_keys
from automations.services.access.api_keys import MAX_GRACE

router = Router(prefix="/api/api-keys", tags=["api-keys"])

Scope = Annotated[str, StringConstraints(max_length=100)]
_MAX_GRACE = int(MAX_GRACE.total_seconds())


class ApiKeyToMake(Body):
    """An API key to create."""

    name: Name
    role: Literal["OWNER", "ADMIN", "MEMBER", "VIEWER"] = Field(
        "MEMBER", description="Not above your own."
    )
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=100)] | None = Field(
        None,
        description="Limits the key below its role, such as workflows:read, workflows:execute or "
        "forms:submit; no limit by default.",
    )
    expires_at: Instant | None = Field(None, description="By default, never.")
    member_id: str | None = Field(
        None, max_length=100, description="The member to whom it belongs."
    )


class Rotation(Body):
    """How to rotate an API key."""

    grace_seconds: int = Field(
        0,
        ge=0,
        le=_MAX_GRACE,
        strict=True,
        description="How long the previous token keeps working; 7 days at most.",
    )


@router.get("")
def list_api_keys(
    caller: Admin, request: Request, response: Response, limit: Limit = 100, cursor: Behind = None
) -> list[dict[str, Any]]:
    """List the API keys that are not revoked, newest first, without their tokens.

    The header `Link` (rel="next") has the next page's address, as long as there is one.
    """
    page, following = api_keys.page_after(caller.workspace_id, cursor, limit)
    links.add_next(request, response, following, limit)
    return [audit_views.api_key(key) for key in page]


@router.post("", status_code=201)
def create_api_key(
    request: Request, response: Response, caller: Admin, key: ApiKeyToMake
) -> dict[str, Any]:
    """Create an API key; its token is shown now and never again."""
    scopes.check_known(request.app, key.scopes)
    token, created = api_keys.create(
        caller,
        name=key.name,
        role=key.role,
        scopes=key.scopes,
        expires_at=key.expires_at,
        member_id=key.member_id,
    )
    response.headers["Cache-Control"] = "no-store"
    return {**audit_views.api_key(created), "token": token}


@router.post("/{key_id}/rotate")
def rotate_api_key(
    response: Response, caller: Admin, key_id: str, rotation: Rotation | None = None
) -> dict[str, Any]:
    """Give an API key a new token, which is shown now and never again."""
    grace = timedelta(seconds=rotation.grace_seconds if rotation else 0)
    token, rotated = api_keys.rotate(caller, key_id, grace)
    response.headers["Cache-Control"] = "no-store"
    return {**audit_views.api_key(rotated), "token": token}


@router.delete("/{key_id}", status_code=204)
def revoke_api_key(caller: Admin, key_id: str) -> Response:
    """Revoke an API key, immediately and permanently."""
    api_keys.revoke(caller, key_id)
    return Response(status_code=204)
