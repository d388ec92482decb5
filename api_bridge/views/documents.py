"""How document templates, documents and deliveries look in answers."""

from __future__ import annotations

from typing import Any

from automations.db.tables import Document, DocumentTemplate
from automations.kit.clock import timestamp
from automations.services.documents.documents import CONTENT_TYPES, DocumentDetail


def template(row: DocumentTemplate) -> dict[str, Any]:
    """A template without its content."""
    return {
        "id": row.id,
        "name": row.name,
        "format": row.format,
        "size": row.size,
        "sha256": row.sha256,
        "placeholders": row.placeholders,
        "version": row.version,
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
    }


def document(row: Document) -> dict[str, Any]:
    """A document in a list."""
    return {
        "id": row.id,
        "name": row.name,
        "format": row.format,
        "contentType": CONTENT_TYPES[row.format],
        "size": row.size,
        "sha256": row.sha256,
        "engine": row.engine,
        "runId": row.run_id,
        "submissionId": row.submission_id,
        "templateId": row.template_id,
        "templateVersion": row.template_version,
        "createdAt": timestamp(row.created_at),
    }


def document_detail(detail: DocumentDetail) -> dict[str, Any]:
    """A document with its deliveries."""
    return {
        **document(detail.document),
        "deliveries": [
            {
                "id": row.id,
                "recipient": row.address,
                "status": row.status,
                "messageId": row.message_id,
                "reason": row.reason,
                "runId": row.run_id,
                "createdAt": timestamp(row.created_at),
            }
            for row in detail.deliveries
        ],
    }
