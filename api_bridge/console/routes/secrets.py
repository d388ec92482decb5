"""Secrets: set, replaced and deleted, and who uses each; their values are never shown."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import queries, responses
from api_bridge.console.form_data import Posted, check_sure, is_ticked, text
from api_bridge.console.queries import Text
from api_bridge.deps import Admin
from api_bridge.routing import Router
from automations.domain.principals import Principal
from automations.errors import ValidationFailed
from automations.kit.line_breaks import normalise_breaks
from automations.services.audit import audit_logs
from automations.services.integrations import secrets
from automations.services.pipelines import connections
from automations.services.workflows import uses

ROOT = "/console/secrets"
router = Router(prefix=ROOT, tags=["secrets"])


@router.get("")
def show_list(request: Request, caller: Admin, name: Text = "", cursor: Text = "") -> Response:
    """The names of secrets, and what uses them."""
    return _page(request, caller, name, cursor=cursor)


@router.post("")
def put(request: Request, caller: Admin, form: Posted) -> Response:
    """Set a secret; one that is there is only replaced where that was asked for."""
    name, value = text(form, "name").strip(), text(form, "value")
    replaces = is_ticked(form, "replace")
    try:
        existing = {secret.name for secret in secrets.list_all(caller.workspace_id)}
        if name in existing and not replaces:
            raise ValidationFailed({"name": ["is taken: replace its value in the list above"]})
        secrets.put(caller.workspace_id, name, normalise_breaks(value))
    except ValidationFailed as error:
        return _page(request, caller, name, error.field_errors)
    return responses.redirect(ROOT, "secret.replaced" if name in existing else "secret.set")


@router.post("/{name}/delete")
def delete(caller: Admin, name: str, form: Posted) -> Response:
    """Delete a secret; the steps that name it fail from now on."""
    check_sure(form)
    secrets.delete(caller.workspace_id, name)
    return responses.redirect(ROOT, "secret.deleted")


def _page(
    request: Request,
    caller: Principal,
    name: str = "",
    problems: Mapping[str, list[str]] | None = None,
    cursor: str = "",
) -> Response:
    page, following = secrets.page_after(caller.workspace_id, cursor or None, queries.PAGE_SIZE)
    used = uses.of_secrets(caller.workspace_id)
    pipelines = connections.of_secrets(caller.workspace_id)
    existing = {secret.name for secret in secrets.list_all(caller.workspace_id)}
    return responses.page(
        request,
        "secrets.html",
        caller,
        200 if problems is None else 400,
        rows=page,
        following=queries.following(request, following),
        is_first=not cursor,
        used=used,
        pipelines=pipelines,
        missing=sorted((used.keys() | pipelines.keys()) - existing),
        actors=audit_logs.actors(
            caller.workspace_id, "secret", {secret.name: secret.updated_at for secret in page}
        ),
        name=name,
        problems=problems or {},
    )
