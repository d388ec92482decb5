"""Integrations: outside services, for administrators."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from api_bridge.bodies import Edited
from api_bridge.deps import Admin
from api_bridge.endpoint_marks import outside, slow
from api_bridge.routing import Router
from api_bridge.views import integrations as views
from automations import wiring
from automations.definitions.integrations import IntegrationType
from automations.domain.fields import Lenient
from automations.kit.titles import Name
from automations.services.integrations import integrations, mail

router = Router(prefix="/api/integrations", tags=["integrations"])


class _Body(Lenient):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class NewIntegration(_Body):
    """An integration to set up."""

    name: Name
    type: IntegrationType
    config: dict[str, Any] = Field(default_factory=dict, description="By the type.")
    credentials: dict[str, Any] = Field(
        default_factory=dict, description="By the type; encrypted, and never returned."
    )
    enabled: bool = Field(True, strict=True)
    set_as_site_email_provider: bool = Field(
        False, strict=True, description="Whether this sends the workspace's mail."
    )


class ChangedIntegration(_Body, Edited):
    """Changes to an integration; `config` and `credentials` are replaced as a whole."""

    name: Name = ""
    config: dict[str, Any] = Field({}, description="By the type.")
    credentials: dict[str, Any] = Field({}, description="By the type; {} removes them.")
    enabled: bool = Field(True, strict=True)
    set_as_site_email_provider: bool = Field(False, strict=True)


@router.get("")
def list_integrations(caller: Admin) -> list[dict[str, Any]]:
    """List all integrations."""
    return [
        views.integration(integration) for integration in integrations.list_all(caller.workspace_id)
    ]


@router.post("", status_code=201)
def create_integration(caller: Admin, new: NewIntegration) -> dict[str, Any]:
    """Set up an integration."""
    created = integrations.create(
        caller.workspace_id,
        name=new.name,
        kind=new.type,
        config=new.config,
        credentials=new.credentials,
        enabled=new.enabled,
        site_email_provider=new.set_as_site_email_provider,
    )
    return views.integration(created)


@router.get("/{integration_id}")
def get_integration(caller: Admin, integration_id: str) -> dict[str, Any]:
    """Get one integration, without its credentials."""
    return views.integration(integrations.get(caller.workspace_id, integration_id))


@router.patch("/{integration_id}")
def update_integration(
    caller: Admin, integration_id: str, changed: ChangedIntegration
) -> dict[str, Any]:
    """Change an integration."""
    shown = views.integration(integrations.get(caller.workspace_id, integration_id))
    changes = changed.as_shown(shown).model_dump(exclude_unset=True)
    if "set_as_site_email_provider" in changes:
        changes["site_email_provider"] = changes.pop("set_as_site_email_provider")
    return views.integration(integrations.update(caller.workspace_id, integration_id, changes))


@router.delete("/{integration_id}", status_code=204)
def delete_integration(caller: Admin, integration_id: str) -> Response:
    """Delete an integration."""
    integrations.delete(caller.workspace_id, integration_id)
    return Response(status_code=204)


@router.post("/{integration_id}/test")
@slow
@outside
def test_integration(caller: Admin, integration_id: str) -> dict[str, Any]:
    """Connect to the service and sign in; sends nothing."""
    problem = mail.check(caller.workspace_id, integration_id, wiring.mail_transport())
    return {"success": problem is None, "message": problem or "The service answers."}
