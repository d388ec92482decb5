"""How document templates, documents and deliveries look in answers."""

from __future__ import annotations

from typing import Any

from automations.kit.clock import timestamp
from automations.services.documents.documents import CONTENT_TYPES, Document, DocumentDetail
from automations.services.documents.templates import DocumentTemplate


def template(shown: DocumentTemplate) -> dict[str, Any]:
    """A template without its content."""
    return {
        "id": shown.id,
        "name": shown.name,
        "format": shown.format,
        "size": shown.size,
        "sha256": shown.sha256,
        "placeholders": shown.placeholders,
        "version": shown.version,
        "createdAt": timestamp(shown.created_at),
        "updatedAt": timestamp(shown.updated_at),
    }


def document(shown: Document) -> dict[str, Any]:
    """A document in a list."""
    return {
        "id": shown.id,
        "name": shown.name,
        "format": shown.format,
        "contentType": CONTENT_TYPES[shown.format],
        "size": shown.size,
        "sha256": shown.sha256,
        "engine": shown.engine,
        "runId": shown.run_id,
        "submissionId": shown.submission_id,
        "templateId": shown.template_id,
        "templateVersion": shown.template_version,
        "createdAt": timestamp(shown.created_at),
    }


def document_detail(detail: DocumentDetail) -> dict[str, Any]:
    """A document with its deliveries."""
    return {
        **document(detail.document),
        "deliveries": [
            {
                "id": delivery.id,
                "recipient": delivery.address,
                "status": delivery.status,
                "messageId": delivery.message_id,
                "reason": delivery.reason,
                "runId": delivery.run_id,
                "createdAt": timestamp(delivery.created_at),
            }
            for delivery in detail.deliveries
        ],
    }
