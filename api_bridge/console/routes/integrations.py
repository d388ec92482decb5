"""Integrations: the outside services of a workspace, set up, tested, changed and deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from api_bridge.console import queries, responses
from api_bridge.console.form_data import Posted, check_sure, is_ticked, text, yes_or_no
from api_bridge.console.queries import Page, Text
from api_bridge.console.views import conflicts, timestamps
from api_bridge.console.views import integration_forms as forms
from api_bridge.deps import Admin
from api_bridge.endpoint_marks import outside, repeatable, slow
from api_bridge.routing import Router
from automations import wiring
from automations.definitions.integrations import EMAIL, IntegrationType
from automations.domain.overviews import NamedWorkflow
from automations.domain.principals import Principal
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.kit.line_breaks import as_it_was
from automations.kit.values import Errors
from automations.services.audit import audit_logs
from automations.services.integrations import integrations, mail
from automations.services.integrations.integrations import Integration
from automations.services.workflows import uses

ROOT = "/console/integrations"
router = Router(prefix=ROOT, tags=["integrations"])

_TYPES = get_args(IntegrationType)
_MAX_NAME = 200


@router.get("")
def show_list(request: Request, caller: Admin, page: Page = 1) -> Response:
    """The integrations by name, and which automations act by them."""
    all_integrations = integrations.list_all(caller.workspace_id)
    shown, following = queries.paginate(request, all_integrations, page)
    return responses.page(
        request,
        "integrations.html",
        caller,
        rows=shown,
        following=following,
        is_first=page == 1,
        types=_TYPES,
        used=uses.of_integrations(caller.workspace_id),
        summary=forms.summary,
        actors=audit_logs.actors(
            caller.workspace_id,
            "integration",
            {integration.id: integration.updated_at for integration in shown},
        ),
    )


@router.get("/new")
def show_new(request: Request, caller: Admin, type: Text = EMAIL) -> Response:  # noqa: A002
    """The form of a new integration of a type."""
    if type not in _TYPES:
        raise NotFound(f"There are no integrations of type {type}.")
    return _form(request, caller, type)


@router.post("")
def create(request: Request, caller: Admin, form: Posted) -> Response:
    """Set up an integration."""
    kind = text(form, "type")
    if kind not in _TYPES:
        raise ValidationFailed({"type": [f"must be one of {', '.join(_TYPES)}"]})
    try:
        config, credentials = forms.read(kind, form)
        created = integrations.create(
            caller.workspace_id,
            name=_name(form),
            kind=kind,
            config=config,
            credentials=credentials,
            enabled=True,
            site_email_provider=is_ticked(form, "site"),
        )
    except ValidationFailed as error:
        return _form(request, caller, kind, None, form, error.field_errors)
    except Conflict as error:
        return _form(request, caller, kind, None, form, {"": [error.message]})
    return responses.redirect(f"{ROOT}/{created.id}", "integration.created")


@router.get("/{integration_id}")
def show(request: Request, caller: Admin, integration_id: str) -> Response:
    """One integration, without its credentials."""
    integration = integrations.get(caller.workspace_id, integration_id)
    return _form(request, caller, integration.type, integration)


@router.post("/{integration_id}")
def change(request: Request, caller: Admin, integration_id: str, form: Posted) -> Response:
    """Change an integration; credentials that are left empty stay as they are."""
    integration = integrations.get(caller.workspace_id, integration_id)
    try:
        config, credentials = forms.read(integration.type, form, integration)
        changes: dict[str, Any] = {"name": _name(form, integration.name), "config": config}
        if credentials or is_ticked(form, "forget"):
            changes["credentials"] = credentials
        if integration.type == EMAIL:
            changes["site_email_provider"] = is_ticked(form, "site")
        seen = timestamps.read_seen(text(form, "seen"), integration.updated_at)
        integrations.update(caller.workspace_id, integration_id, changes, seen=seen)
    except ValidationFailed as error:
        return _form(request, caller, integration.type, integration, form, error.field_errors)
    except Conflict as error:
        return _form(request, caller, integration.type, integration, form, {"": [error.message]})
    return responses.redirect(f"{ROOT}/{integration_id}", "integration.changed")


@router.post("/{integration_id}/enabled")
def enable(caller: Admin, integration_id: str, form: Posted) -> Response:
    """Have an integration used, or no longer."""
    integrations.get(caller.workspace_id, integration_id)
    enabled = yes_or_no(form, "enabled")
    integrations.update(caller.workspace_id, integration_id, {"enabled": enabled})
    notice = "integration.enabled" if enabled else "integration.disabled"
    return responses.redirect(f"{ROOT}/{integration_id}", notice)


@router.post("/{integration_id}/test")
@slow
@outside
@repeatable
def test(request: Request, caller: Admin, integration_id: str, form: Posted) -> Response:
    """Connect to the service and sign in; nothing is sent."""
    integration = integrations.get(caller.workspace_id, integration_id)
    problem = mail.check(caller.workspace_id, integration_id, wiring.mail_transport())
    return _form(request, caller, integration.type, integration, tested=(problem,))


@router.post("/{integration_id}/delete")
def delete(caller: Admin, integration_id: str, form: Posted) -> Response:
    """Delete an integration and its credentials."""
    integrations.get(caller.workspace_id, integration_id)
    check_sure(form)
    integrations.delete(caller.workspace_id, integration_id)
    return responses.redirect(ROOT, "integration.deleted")


def _name(form: FormData, current: str = "") -> str:
    name = as_it_was(text(form, "name"), [current]).strip()
    if not 0 < len(name) <= _MAX_NAME:
        raise ValidationFailed({"name": [f"must have 1 to {_MAX_NAME} characters"]})
    return name


def _form(
    request: Request,
    caller: Principal,
    kind: str,
    integration: Integration | None = None,
    typed_in: FormData | None = None,
    problems: Errors | None = None,
    tested: tuple[str | None] | None = None,
) -> Response:
    shown = forms.build_form(kind, integration, typed_in)
    at_inputs = {field.name for field in (*(shown.config or ()), *(shown.credentials or ()))}
    users: Sequence[NamedWorkflow] = ()
    if integration is not None:
        users = uses.of_integrations(caller.workspace_id).get(integration.id, ())
    return responses.page(
        request,
        "integration.html",
        caller,
        conflicts.status(problems),
        kind=kind,
        one=integration,
        form=shown,
        name=text(typed_in, "name")
        if typed_in is not None
        else (integration.name if integration else ""),
        is_site=text(typed_in, "site") == "yes"
        if typed_in is not None
        else integration is not None and integration.is_site_email_provider,
        seen=_seen_stamp(integration, typed_in),
        can_test=integration is not None and kind == EMAIL,
        is_mail=kind == EMAIL,
        tested=tested,
        users=users,
        problems=problems or {},
        elsewhere={
            path: messages for path, messages in (problems or {}).items() if path not in at_inputs
        },
    )


def _seen_stamp(integration: Integration | None, typed_in: FormData | None) -> str:
    """The stamp of what is changed: as it was when it was shown first."""
    seen = text(typed_in, "seen") if typed_in is not None else ""
    return seen or (timestamps.stamp(integration.updated_at) if integration is not None else "")
