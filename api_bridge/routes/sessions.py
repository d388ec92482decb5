"""Signing in to the console with a password, and the current session."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from pydantic import Field

from api_bridge import cookies
from api_bridge.bodies import MAX_SIGN_IN_BYTES, Body, body_limit
from api_bridge.deps import Admin, Viewer, client_address
from api_bridge.endpoint_marks import hashing
from api_bridge.routing import Router
from api_bridge.views import people as people_views
from automations.kit.clock import timestamp
from automations.services.access import members, sign_ins
from automations.services.access.bootstrap import DEFAULT_WORKSPACE
from automations.services.access.sign_ins import (
    MAX_PASSWORD_LENGTH,
    MIN_PASSWORD_LENGTH,
    NewSession,
)

router = Router(prefix="/api", tags=["session"])


class Credentials(Body):
    """A member's e-mail address and password."""

    email: str = Field(max_length=320)
    password: str = Field(max_length=MAX_PASSWORD_LENGTH)
    workspace: str = Field(DEFAULT_WORKSPACE[0], max_length=200, description="Its slug.")


class Invitation(Body):
    """The token of an invitation, and the password that its member chooses."""

    token: str = Field(max_length=200)
    password: str = Field(
        max_length=MAX_PASSWORD_LENGTH,
        description=f"{MIN_PASSWORD_LENGTH} characters at least; without your name, and none "
        "that is easy to guess.",
    )


class NewPassword(Body):
    """A member's present and new password."""

    current_password: str = Field(max_length=MAX_PASSWORD_LENGTH)
    new_password: str = Field(
        max_length=MAX_PASSWORD_LENGTH,
        description=f"{MIN_PASSWORD_LENGTH} characters at least; "
        "without your name, and none that is easy to guess.",
    )


@router.post("/session")
@hashing
@body_limit(MAX_SIGN_IN_BYTES)
def sign_in(request: Request, response: Response, credentials: Credentials) -> dict[str, Any]:
    """Sign in: starts a session of at most 7 days, in a cookie that scripts cannot read."""
    cookies.check_origin(request, unless_silent=True)
    return _session_answer(
        response,
        sign_ins.sign_in(
            credentials.workspace,
            credentials.email,
            credentials.password,
            client_address(request),
        ),
    )


@router.post("/session/invitation")
@hashing
@body_limit(MAX_SIGN_IN_BYTES)
def accept_invitation(
    request: Request, response: Response, invitation: Invitation
) -> dict[str, Any]:
    """Set a password with an invitation, once, and sign in."""
    cookies.check_origin(request, unless_silent=True)
    address = client_address(request)
    return _session_answer(
        response, sign_ins.accept(invitation.token, invitation.password, address)
    )


@router.get("/session")
def get_session(caller: Viewer) -> dict[str, Any]:
    """Get the caller, with role and permissions."""
    member = caller.member_id and members.get(caller.workspace_id, caller.member_id)
    return {
        "workspaceId": caller.workspace_id,
        "role": caller.role,
        "name": caller.name,
        "scopes": caller.scopes,
        "member": people_views.member(member) if member else None,
        "apiKeyId": caller.key_id,
    }


@router.delete("/session", status_code=204)
def sign_out(caller: Viewer, response: Response) -> None:
    """Sign out: the session ends."""
    sign_ins.sign_out(caller)
    cookies.clear_session(response)


@router.put("/session/password", status_code=204)
@hashing
def change_password(caller: Viewer, passwords: NewPassword) -> None:
    """Change one's own password; all other sessions end."""
    sign_ins.change_password(caller, passwords.current_password, passwords.new_password)


@router.post("/members/{member_id}/invitation", status_code=201)
def invite(caller: Admin, response: Response, member_id: str) -> dict[str, Any]:
    """Invite a member to set a password; the token is shown now and never again."""
    token, expires_at = sign_ins.invite(caller, member_id)
    response.headers["Cache-Control"] = "no-store"
    return {"memberId": member_id, "token": token, "expiresAt": timestamp(expires_at)}


def _session_answer(response: Response, opened: NewSession) -> dict[str, Any]:
    cookies.set_session(response, opened.token, opened.expires_at)
    return {
        "workspaceId": opened.member.workspace_id,
        "role": opened.member.role,
        "member": people_views.member(opened.member),
        "expiresAt": timestamp(opened.expires_at),
    }
