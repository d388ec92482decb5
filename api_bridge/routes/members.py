"""The members of the workspace."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import Response
from pydantic import Field

from api_bridge.bodies import Body, Edited
from api_bridge.deps import Admin, Viewer
from api_bridge.routing import Router
from api_bridge.views import people as people_views
from automations.kit.titles import Name
from automations.services.access import members

router = Router(prefix="/api/members", tags=["members"])

_EMAIL: dict[str, Any] = {"format": "email"}
Role = Literal["OWNER", "ADMIN", "MEMBER", "VIEWER"]


class NewMember(Body):
    """A member to add."""

    name: Name
    email: str = Field(
        max_length=320, description="Unique in the workspace.", json_schema_extra=_EMAIL
    )
    role: Role = Field("MEMBER", description="OWNER needs an API key of role OWNER.")


class MemberChange(Body, Edited):
    """Changes to a member; fields that are left out stay as they are."""

    name: Name = ""
    email: str = Field("", max_length=320, json_schema_extra=_EMAIL)
    role: Role = "MEMBER"


@router.get("")
def list_members(caller: Viewer) -> list[dict[str, Any]]:
    """List all members."""
    return [people_views.member(member) for member in members.list_all(caller.workspace_id)]


@router.post("", status_code=201)
def create_member(caller: Admin, member: NewMember) -> dict[str, Any]:
    """Add a member."""
    added = members.create(caller, name=member.name, email=member.email, role=member.role)
    return people_views.member(added)


@router.patch("/{member_id}")
def update_member(caller: Admin, member_id: str, change: MemberChange) -> dict[str, Any]:
    """Change a member; the last OWNER stays OWNER. API keys do not keep a role above theirs."""
    members_by_id = {
        member.id: people_views.member(member) for member in members.list_all(caller.workspace_id)
    }
    fields = change.as_shown(members_by_id.get(member_id, {})).sent_fields()
    changed = members.update(
        caller,
        member_id,
        name=fields.get("name"),
        email=fields.get("email"),
        role=fields.get("role"),
    )
    return people_views.member(changed)


@router.delete("/{member_id}", status_code=204)
def delete_member(caller: Admin, member_id: str) -> Response:
    """Remove a member, never the last OWNER; their API keys are revoked."""
    members.delete(caller, member_id)
    return Response(status_code=204)
