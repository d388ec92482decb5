"""Secrets: set, list by name, delete; never read."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api_bridge import links
from api_bridge.deps import Admin
from api_bridge.paging import Behind, Limit
from api_bridge.routing import Router
from api_bridge.views import integrations as views
from automations.domain.fields import SECRET_NAME
from automations.services.integrations import secrets

router = Router(prefix="/api/secrets", tags=["secrets"])

Name = Annotated[str, Path(json_schema_extra={"pattern": f"^{SECRET_NAME.pattern}$"})]


class NewSecret(BaseModel):
    """A secret's value."""

    model_config = ConfigDict(extra="forbid")

    value: str = Field(
        description="5 characters at least, so that it can be masked.",
        json_schema_extra={"minLength": 5},
    )


@router.get("")
def list_secrets(
    caller: Admin, request: Request, response: Response, limit: Limit = 100, cursor: Behind = None
) -> list[dict[str, Any]]:
    """List the names and fingerprints of secrets, by name.

    The header `Link` (rel="next") has the next page's address, as long as there is one.
    """
    page, following = secrets.page_after(caller.workspace_id, cursor, limit)
    links.add_next(request, response, following, limit)
    return [views.secret(secret) for secret in page]


@router.put("/{name}")
def put_secret(caller: Admin, name: Name, secret: NewSecret) -> dict[str, Any]:
    """Set a secret, usable as {{secret.NAME}} in every template of a step.

    In all records of a run, and in what later steps see of them, its value is ***.
    """
    return views.secret(secrets.put(caller.workspace_id, name, secret.value))


@router.delete("/{name}", status_code=204)
def delete_secret(caller: Admin, name: Name) -> Response:
    """Delete a secret."""
    secrets.delete(caller.workspace_id, name)
    return Response(status_code=204)
