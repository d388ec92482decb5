"""API keys: made and shown once, given another token, revoked."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from api_bridge import scopes
from api_bridge.console import queries, responses
from api_bridge.console.form_data import Posted, check_sure, is_ticked, text, texts
from api_bridge.console.queries import Text
from api_bridge.deps import Admin
from api_bridge.routing import Router
from automations.domain.principals import RANKS, Principal
from automations.errors import ValidationFailed
from automations.kit import common_clock
from automations.kit.values import Errors
from automations.services.access import api_keys, members

ROOT = "/console/api-keys"
router = Router(prefix=ROOT, tags=["api-keys"])

_MAX_NAME = 200
_GRACES = {
    "none": timedelta(),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}
"""How long the token before goes on working, by the words for it."""


@router.get("")
def show_list(request: Request, caller: Admin, cursor: Text = "") -> Response:
    """The keys that are not revoked, newest first."""
    return _page(request, caller, cursor=cursor)


@router.post("")
def create(request: Request, caller: Admin, form: Posted) -> Response:
    """Make a key, and show its token for the only time."""
    try:
        name, role = text(form, "name").strip(), text(form, "role")
        chosen_scopes = texts(form, "scope") if is_ticked(form, "limited") else None
        _check(name, role, chosen_scopes)
        scopes.check_known(request.app, chosen_scopes)
        token, created = api_keys.create(
            caller,
            name=name,
            role=role,
            scopes=chosen_scopes,
            expires_at=_end_of(text(form, "expires")),
            member_id=text(form, "member") or None,
        )
    except ValidationFailed as error:
        return _page(request, caller, typed=form, problems=error.field_errors)
    return _page(request, caller, token, created.name)


@router.post("/{key_id}/rotate")
def rotate(request: Request, caller: Admin, key_id: str, form: Posted) -> Response:
    """Give a key another token, and show it for the only time."""
    grace = text(form, "grace", "none")
    if grace not in _GRACES:
        raise ValidationFailed({"grace": [f"must be one of {', '.join(_GRACES)}"]})
    token, rotated = api_keys.rotate(caller, key_id, _GRACES[grace])
    return _page(request, caller, token, rotated.name)


@router.post("/{key_id}/revoke")
def revoke(caller: Admin, key_id: str, form: Posted) -> Response:
    """Revoke a key, at once and forever."""
    api_keys.get(caller, key_id)
    check_sure(form)
    api_keys.revoke(caller, key_id)
    return responses.redirect(ROOT, "api_key.revoked")


def _check(name: str, role: str, chosen_scopes: list[str] | None) -> None:
    errors: Errors = {}
    if not 0 < len(name) <= _MAX_NAME:
        errors["name"] = [f"must have 1 to {_MAX_NAME} characters"]
    if role not in RANKS:
        errors["role"] = [f"must be one of {', '.join(RANKS)}"]
    if chosen_scopes is not None and not chosen_scopes:
        errors["scopes"] = ["choose one at least, or do not limit the key"]
    if errors:
        raise ValidationFailed(errors)


def _end_of(day: str) -> datetime | None:
    """The end of a day, in UTC; None for none."""
    if not day:
        return None
    try:
        return datetime.combine(date.fromisoformat(day), time.max, UTC)
    except ValueError as error:
        raise ValidationFailed({"expires": ["must be a day, such as 2026-01-31"]}) from error


def _page(
    request: Request,
    caller: Principal,
    token: str = "",
    owner: str = "",
    typed: FormData | None = None,
    problems: Errors | None = None,
    cursor: str = "",
) -> Response:
    form = typed if typed is not None else FormData()
    grouped: dict[str, list[str]] = {}
    for scope in scopes.list_scopes(request.app):
        if caller.scopes is None or scope in caller.scopes:
            grouped.setdefault(scope.partition(":")[0], []).append(scope)
    people = members.list_all(caller.workspace_id)
    page, following = api_keys.page_after(caller.workspace_id, cursor or None, queries.PAGE_SIZE)
    return responses.page(
        request,
        "api_keys.html",
        caller,
        200 if problems is None else 400,
        rows=page,
        following=queries.following(request, following),
        is_first=not cursor,
        now=common_clock.now(),
        token=token,
        whose=owner,
        roles=[role for role in RANKS if caller.may(role)],
        scopes=grouped,
        people=people,
        names={person.id: person.name for person in people},
        graces=list(_GRACES),
        typed={
            "name": text(form, "name"),
            "role": text(form, "role", "MEMBER"),
            "expires": text(form, "expires"),
            "member": text(form, "member"),
            "limited": text(form, "limited") == "yes",
            "scopes": texts(form, "scope"),
        },
        problems=problems or {},
    )
