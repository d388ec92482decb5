"""The workspace's pack of document templates."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from api_bridge.bodies import Edited, body_limit
from api_bridge.deps import Admin, Forced, Viewer
from api_bridge.downloads import response_docs, template_download
from api_bridge.endpoint_marks import heavy
from api_bridge.routing import Router
from api_bridge.views import documents as views
from automations import wiring
from automations.errors import ValidationFailed
from automations.services.documents import templates
from automations.services.documents.documents import CONTENT_TYPES

router = Router(prefix="/api/document-templates", tags=["documents"])

Name = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")
]
Format = Literal["docx", "markdown"]
Content = Annotated[str, Field(max_length=7_200_000, description="The file, in base64.")]
_MAX_TEMPLATE_BYTES = 7_500_000
"""Of a body: the characters that the content may have, and what is around them."""


class NewTemplate(BaseModel):
    """A template to add."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    format: Format
    content: Content


class ChangedTemplate(Edited):
    """Changes to a template; fields that are left out stay as they are."""

    name: Name | None = None
    format: Format | None = None
    content: Content | None = None


@router.get("")
def list_templates(caller: Viewer) -> list[dict[str, Any]]:
    """List all document templates."""
    return [views.template(template) for template in templates.list_all(caller.workspace_id)]


@router.post("", status_code=201)
@heavy
@body_limit(_MAX_TEMPLATE_BYTES)
def create_template(caller: Admin, template: NewTemplate) -> dict[str, Any]:
    """Add a template: DOCX with placeholders and loops, or Markdown."""
    created = templates.create(
        wiring.document_renderer(),
        caller.workspace_id,
        name=template.name,
        template_format=template.format,
        content=_decode(template.content),
    )
    return views.template(created)


@router.get("/{template_id}")
def get_template(caller: Viewer, template_id: str) -> dict[str, Any]:
    """Get one template with its placeholders."""
    return views.template(templates.get(caller.workspace_id, template_id))


@router.get(
    "/{template_id}/content",
    response_class=Response,
    responses=response_docs(*CONTENT_TYPES.values()),
)
def get_content(caller: Viewer, template_id: str) -> Response:
    """Download a template."""
    return template_download(*templates.content(caller.workspace_id, template_id))


@router.put("/{template_id}")
@heavy
@body_limit(_MAX_TEMPLATE_BYTES)
def replace_template(caller: Admin, template_id: str, change: ChangedTemplate) -> dict[str, Any]:
    """Change a template; new content creates a new version."""
    change = change.as_shown(views.template(templates.get(caller.workspace_id, template_id)))
    changed = templates.replace(
        wiring.document_renderer(),
        caller.workspace_id,
        template_id,
        name=change.name,
        template_format=change.format,
        content=None if change.content is None else _decode(change.content),
    )
    return views.template(changed)


@router.delete("/{template_id}", status_code=204)
def delete_template(caller: Admin, template_id: str, force: Forced = False) -> Response:
    """Delete a template; documents generated from it stay."""
    templates.delete(caller.workspace_id, template_id, force=force)
    return Response(status_code=204)


def _decode(content: str) -> bytes:
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValidationFailed({"content": ["must be base64"]}) from error
