"""The members of the workspace: who they are, what they may, and inviting them."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import queries, responses
from api_bridge.console.form_data import Posted, check_sure, text
from api_bridge.console.queries import Page
from api_bridge.deps import Admin, Viewer
from api_bridge.routing import Router
from automations.domain.principals import RANKS, Principal
from automations.errors import NotFound, ValidationFailed
from automations.services.access import members, sign_ins
from automations.settings import get_settings

ROOT = "/console/members"
router = Router(prefix=ROOT, tags=["members"])

_MAX_NAME = 200
_ROLES = tuple(RANKS)


@router.get("")
def show_list(request: Request, caller: Viewer, page: Page = 1) -> Response:
    """The members, the first one first."""
    return _page(request, caller, page=page)


@router.post("")
def add(request: Request, caller: Admin, form: Posted) -> Response:
    """Add a member, and show the link by which they set a password."""
    name, email = text(form, "name").strip(), text(form, "email").strip()
    if not 0 < len(name) <= _MAX_NAME:
        raise ValidationFailed({"name": [f"must have 1 to {_MAX_NAME} characters"]})
    created = members.create(caller, name=name, email=email, role=_role(text(form, "role")))
    return _invitation_page(request, caller, created.id)


@router.post("/{member_id}/invitation")
def invite(request: Request, caller: Admin, member_id: str, form: Posted) -> Response:
    """Show a link by which a member sets a password; those before are void."""
    return _invitation_page(request, caller, member_id)


@router.post("/{member_id}/role")
def change_role(caller: Admin, member_id: str, form: Posted) -> Response:
    """Give a member another role."""
    _require(caller, member_id)
    members.update(caller, member_id, role=_role(text(form, "role")))
    return responses.redirect(ROOT, "member.changed")


@router.post("/{member_id}/remove")
def remove(caller: Admin, member_id: str, form: Posted) -> Response:
    """Remove a member: their keys are revoked, their sessions end."""
    _require(caller, member_id)
    check_sure(form)
    members.delete(caller, member_id)
    return responses.redirect(ROOT, "member.removed")


def _require(caller: Principal, member_id: str) -> members.Member:
    member = members.get(caller.workspace_id, member_id)
    if member is None:
        raise NotFound(f"There is no member {member_id}.")
    return member


def _role(role: str) -> str:
    if role not in RANKS:
        raise ValidationFailed({"role": [f"must be one of {', '.join(RANKS)}"]})
    return role


def _invitation_page(request: Request, caller: Principal, member_id: str) -> Response:
    invited = _require(caller, member_id)
    token, _ = sign_ins.invite(caller, member_id)
    # Shown now and never again: it is in no address that anybody else could load.
    link = f"{get_settings().bridge_base}/console/invitation/{token}"
    return _page(request, caller, link, invited.email)


def _page(
    request: Request, caller: Principal, link: str = "", owner: str = "", page: int = 1
) -> Response:
    size = queries.PAGE_SIZE
    page_members, more = members.page(caller.workspace_id, (page - 1) * size, size)
    return responses.page(
        request,
        "members.html",
        caller,
        rows=page_members,
        following=f"{ROOT}?page={page + 1}" if more else None,
        is_first=page == 1,
        roles=[role for role in _ROLES if caller.may(role)],
        link=link,
        whose=owner,
    )
