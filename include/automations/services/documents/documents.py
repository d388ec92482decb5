"""The documents that runs made and people uploaded, and to whom they were sent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from automations.db import documents
from automations.db.runs import effects
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import Document as DocumentRow
from automations.db.tables import DocumentDelivery as DeliveryRow
from automations.db.tables import DocumentTemplate as TemplateRow
from automations.domain.documents import DocumentFilter
from automations.domain.forms import uploads
from automations.domain.statuses import DeliveryStatus
from automations.errors import NotFound, StepError
from automations.kit import cursors
from automations.kit.filenames import file_name
from automations.kit.stored import known_fields
from automations.kit.values import from_attributes
from automations.ports import (
    Attachment,
    Delivery,
    DocumentOrder,
    DocumentRenderer,
    RenderedDocument,
    StoredDocument,
)

CONTENT_TYPES = {**uploads.CONTENT_TYPES, "markdown": "text/markdown; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Document:
    """A document without its content."""

    id: str
    name: str
    format: str
    size: int
    sha256: str
    engine: str | None
    run_id: str | None
    submission_id: str | None
    template_id: str | None
    template_version: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DocumentDelivery:
    """To whom a document was sent, and what became of it."""

    id: str
    address: str
    status: DeliveryStatus
    message_id: str | None
    reason: str | None
    run_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DocumentDetail:
    """A document and its deliveries."""

    document: Document
    deliveries: Sequence[DocumentDelivery]


def page(
    workspace_id: str, run_id: str | None, number: int, size: int
) -> tuple[Sequence[Document], int]:
    """One page of a workspace's documents, newest first, and how many there are."""
    with unit_of_work() as session:
        rows, total = documents.page(session, workspace_id, run_id, (number - 1) * size, size)
    return [from_attributes(Document, row) for row in rows], total


def page_after(
    workspace_id: str, criteria: DocumentFilter, cursor: str | None, size: int
) -> tuple[Sequence[Document], str | None]:
    """The documents after a cursor, newest first, and the next cursor."""
    after = cursors.decode(cursor) if cursor else None
    with reading() as session:
        rows = documents.list_page(session, workspace_id, criteria, after, size + 1)
    page_documents = [from_attributes(Document, row) for row in rows]
    return cursors.page(page_documents, size, lambda document: (document.created_at, document.id))


def get(workspace_id: str, document_id: str) -> DocumentDetail:
    """One document with its deliveries."""
    with unit_of_work() as session:
        document = from_attributes(Document, _find(session, workspace_id, document_id))
        rows = documents.deliveries(session, document_id)
    return DocumentDetail(document, [from_attributes(DocumentDelivery, row) for row in rows])


def content(workspace_id: str, document_id: str) -> tuple[Document, bytes]:
    """One document, and what is in it."""
    with unit_of_work() as session:
        row = _find(session, workspace_id, document_id, content=True)
        return from_attributes(Document, row), row.content


def _find(
    session: Session, workspace_id: str, document_id: str, *, content: bool = False
) -> DocumentRow:
    document = documents.find(session, workspace_id, document_id, content=content)
    if document is None:
        raise NotFound(f"There is no document {document_id}.")
    return document


class StoredDocuments:
    """Plays the role Documents: rendered by an engine, kept in our database."""

    def __init__(self, renderer: DocumentRenderer) -> None:
        self._renderer = renderer

    def generate(self, order: DocumentOrder) -> StoredDocument:
        """Make a document, once for its key.

        Raises:
            StepError: there is no such template, or it cannot be filled in with this data.
        """
        with unit_of_work() as session:
            done = effects.find_recorded(session, order.key)
            if done is not None:
                return StoredDocument(**known_fields(StoredDocument, done))
            template = documents.find_template(
                session, order.workspace_id, order.template_id, content=True
            )
        if template is None:
            raise StepError(f"There is no document template {order.template_id}.", kind="document")
        rendered = self._render(template, order)
        with unit_of_work() as session:
            return StoredDocument(
                **effects.once(
                    session, order.key, lambda: _keep(session, template, order, rendered)
                )
            )

    def _render(self, template: TemplateRow, order: DocumentOrder) -> RenderedDocument:
        try:
            return self._renderer.render(
                template.format,
                template.content,
                order.data,
                order.format,
                seconds=order.seconds,
                allow_loss=order.allow_loss,
                owner=order.workspace_id,
            )
        except StepError as error:
            raise StepError(
                f"Document template '{template.name}': {error.message}",
                kind=error.kind,
                retryable=error.retryable,
            ) from error

    def file(self, workspace_id: str, document_id: str) -> Attachment:
        """A document as a file to send.

        Raises:
            StepError: there is no such document.
        """
        with unit_of_work() as session:
            document = documents.find(session, workspace_id, document_id, content=True)
        if document is None:
            raise StepError(f"There is no document {document_id}.", kind="document")
        return Attachment(document.name, document.content, CONTENT_TYPES[document.format])

    def delivery(self, key: str) -> Delivery | None:
        """What was recorded under this key."""
        with unit_of_work() as session:
            return _delivery(documents.delivery(session, key))

    def record(self, key: str, workspace_id: str, run_id: str, delivery: Delivery) -> Delivery:
        """Record a delivery; one that was sent is never changed."""
        values = {**asdict(delivery), "workspace_id": workspace_id, "run_id": run_id}
        with unit_of_work() as session:
            documents.record_delivery(session, key, values)
            return _delivery(documents.delivery(session, key)) or delivery


def _keep(
    session: Session, template: TemplateRow, order: DocumentOrder, rendered: RenderedDocument
) -> dict[str, object]:
    document = DocumentRow(
        workspace_id=order.workspace_id,
        run_id=order.run_id,
        template_id=template.id,
        template_version=template.version,
        name=file_name(order.filename or template.name, order.format),
        format=order.format,
        content=rendered.content,
        size=len(rendered.content),
        sha256=hashlib.sha256(rendered.content).hexdigest(),
        engine=rendered.engine,
    )
    session.add(document)
    session.flush()
    return asdict(
        StoredDocument(
            id=document.id,
            name=document.name,
            format=document.format,
            size=document.size,
            sha256=document.sha256,
            engine=rendered.engine,
            losses=list(rendered.losses),
        )
    )


def _delivery(row: DeliveryRow | None) -> Delivery | None:
    if row is None:
        return None
    return Delivery(row.document_id, row.address, row.status, row.message_id, row.reason)
