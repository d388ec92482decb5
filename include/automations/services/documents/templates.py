"""The workspace's pack of document templates."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from automations.db import documents
from automations.db.session import Session, unit_of_work
from automations.db.tables import DocumentTemplate as TemplateRow
from automations.db.workflows import workflows
from automations.errors import Conflict, InUse, NotFound, StepError, ValidationFailed
from automations.kit import common_clock
from automations.kit.values import from_attributes
from automations.ports import DocumentRenderer
from automations.services.audit import audit

MAX_BYTES = 5_000_000
"""In base64 it fits into the bodies that the bridge takes for templates."""


@dataclass(frozen=True, slots=True)
class DocumentTemplate:
    """A template without its content."""

    id: str
    name: str
    format: str
    size: int
    sha256: str
    placeholders: Sequence[str]
    version: int
    created_at: datetime
    updated_at: datetime


def create(
    renderer: DocumentRenderer,
    workspace_id: str,
    *,
    name: str,
    template_format: str,
    content: bytes,
) -> DocumentTemplate:
    """Add a template.

    Raises:
        ValidationFailed: its content is not sound; says why.
    """
    placeholders = _find_problems(renderer, workspace_id, template_format, content)
    with unit_of_work() as session:
        template = TemplateRow(workspace_id=workspace_id, name=name)
        _fill(template, template_format, content, placeholders)
        session.add(template)
        session.flush()
        session.refresh(template)
        audit.record(session, "document_template.create", template, name=template.name)
        return from_attributes(DocumentTemplate, template)


def replace(
    renderer: DocumentRenderer,
    workspace_id: str,
    template_id: str,
    *,
    name: str | None,
    template_format: str | None,
    content: bytes | None,
    seen: datetime | None = None,
) -> DocumentTemplate:
    """Change a template; what is None stays. Documents that were made of it stay as they are.

    Args:
        seen: when it was changed last, as far as is known; None to change whatever it is.

    Raises:
        NotFound: there is no such template.
        Conflict: it was changed since it was seen.
        ValidationFailed: its content is not sound; says why.
    """
    before = get(workspace_id, template_id)
    chosen = template_format or before.format
    if content is None and chosen != before.format:
        raise ValidationFailed({"format": ["cannot change without content"]})
    placeholders = (
        None if content is None else _find_problems(renderer, workspace_id, chosen, content)
    )
    with unit_of_work() as session:
        template = documents.lock_template(session, workspace_id, template_id)
        if template is None:
            raise NotFound(f"There is no document template {template_id}.")
        if seen is not None and template.updated_at != seen:
            raise Conflict(
                f"Somebody else has changed the template '{template.name}' meanwhile: look at what "
                "it is now, then change it again."
            )
        if name is not None:
            template.name = name
        if content is not None and placeholders is not None:
            _fill(template, chosen, content, placeholders)
            template.version += 1
        template.updated_at = common_clock.now()
        audit.record(session, "document_template.update", template, name=template.name)
        return from_attributes(DocumentTemplate, template)


def get(workspace_id: str, template_id: str) -> DocumentTemplate:
    """One template."""
    with unit_of_work() as session:
        return from_attributes(DocumentTemplate, _find(session, workspace_id, template_id))


def content(workspace_id: str, template_id: str) -> tuple[DocumentTemplate, bytes]:
    """One template, and what is in it."""
    with unit_of_work() as session:
        row = _find(session, workspace_id, template_id, content=True)
        return from_attributes(DocumentTemplate, row), row.content


def list_all(workspace_id: str) -> Sequence[DocumentTemplate]:
    """All templates of a workspace, newest first."""
    with unit_of_work() as session:
        rows = documents.templates(session, workspace_id)
    return [from_attributes(DocumentTemplate, row) for row in rows]


def delete(workspace_id: str, template_id: str, *, force: bool = False) -> None:
    """Delete a template; the documents that were made of it stay.

    Raises:
        InUse: ACTIVE automations name it, unless it is to be gone all the same.
    """
    with unit_of_work() as session:
        template = documents.lock_template(session, workspace_id, template_id)
        if template is None:
            raise NotFound(f"There is no document template {template_id}.")
        users = () if force else workflows.active_with(session, workspace_id, template_id)
        if users:
            raise InUse(f"document template '{template.name}'", users)
        audit.record(session, "document_template.delete", template, name=template.name)
        session.delete(template)


def _find(
    session: Session, workspace_id: str, template_id: str, *, content: bool = False
) -> TemplateRow:
    template = documents.find_template(session, workspace_id, template_id, content=content)
    if template is None:
        raise NotFound(f"There is no document template {template_id}.")
    return template


def _find_problems(
    renderer: DocumentRenderer, workspace_id: str, template_format: str, content: bytes
) -> list[str]:
    if not content:
        raise ValidationFailed({"content": ["must not be empty"]})
    if len(content) > MAX_BYTES:
        raise ValidationFailed({"content": [f"has {len(content)} bytes; {MAX_BYTES} at most"]})
    try:
        return list(renderer.placeholders(template_format, content, owner=workspace_id))
    except StepError as error:
        raise ValidationFailed({"content": [error.message]}) from error


def _fill(
    template: TemplateRow, template_format: str, content: bytes, placeholders: list[str]
) -> None:
    template.format, template.content, template.placeholders = (
        template_format,
        content,
        placeholders,
    )
    template.size, template.sha256 = len(content), hashlib.sha256(content).hexdigest()
