"""Document templates, documents and deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, undefer

from automations.db.keyset_pages import equal, page_after
from automations.db.tables import Document, DocumentDelivery, DocumentTemplate
from automations.domain.documents import DocumentFilter
from automations.domain.statuses import DeliveryStatus


def find_template(
    session: Session, workspace_id: str, template_id: str, *, content: bool = False
) -> DocumentTemplate | None:
    """A template of a workspace, with its content when asked for."""
    query = select(DocumentTemplate).where(
        DocumentTemplate.id == template_id, DocumentTemplate.workspace_id == workspace_id
    )
    return session.scalar(query.options(undefer(DocumentTemplate.content)) if content else query)


def lock_template(session: Session, workspace_id: str, template_id: str) -> DocumentTemplate | None:
    """A template of a workspace, locked to be changed."""
    return session.scalar(
        select(DocumentTemplate)
        .where(DocumentTemplate.id == template_id, DocumentTemplate.workspace_id == workspace_id)
        .with_for_update()
    )


def templates(session: Session, workspace_id: str) -> Sequence[DocumentTemplate]:
    """All templates of a workspace, newest first."""
    return session.scalars(
        select(DocumentTemplate)
        .where(DocumentTemplate.workspace_id == workspace_id)
        .order_by(DocumentTemplate.created_at.desc(), DocumentTemplate.id)
    ).all()


def find(
    session: Session, workspace_id: str, document_id: str, *, content: bool = False
) -> Document | None:
    """A document of a workspace, with its content when asked for."""
    query = select(Document).where(
        Document.id == document_id, Document.workspace_id == workspace_id
    )
    return session.scalar(query.options(undefer(Document.content)) if content else query)


def uploaded_bytes(session: Session, workspace_id: str) -> int:
    """The bytes of all documents of a workspace that were uploaded and not made of a template."""
    query = select(func.coalesce(func.sum(Document.size), 0)).where(
        Document.workspace_id == workspace_id, Document.template_id.is_(None)
    )
    return int(session.scalars(query).one())


def page(
    session: Session, workspace_id: str, run_id: str | None, offset: int, size: int
) -> tuple[Sequence[Document], int]:
    """A page of a workspace's documents, newest first, and how many there are."""
    conditions = [Document.workspace_id == workspace_id]
    if run_id is not None:
        conditions.append(Document.run_id == run_id)
    total = session.scalar(select(func.count()).select_from(Document).where(*conditions)) or 0
    documents = session.scalars(
        select(Document)
        .where(*conditions)
        .order_by(Document.created_at.desc(), Document.id)
        .offset(offset)
        .limit(size)
    ).all()
    return documents, total


def list_page(
    session: Session,
    workspace_id: str,
    criteria: DocumentFilter,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[Document]:
    """A workspace's documents, newest first.

    Args:
        after: only those that come behind this one.
    """
    query = equal(
        select(Document),
        {
            Document.workspace_id: workspace_id,
            Document.format: criteria.format,
            Document.template_id: criteria.template_id,
            Document.run_id: criteria.run_id,
        },
    )
    if criteria.name:
        query = query.where(Document.name.icontains(criteria.name, autoescape=True))
    if criteria.uploaded is not None:
        query = query.where(Document.template_id.is_(None).is_(criteria.uploaded))
    return page_after(session, query, (Document.created_at, Document.id), after, limit)


def deliveries(session: Session, document_id: str) -> Sequence[DocumentDelivery]:
    """To whom a document was sent, oldest first."""
    return session.scalars(
        select(DocumentDelivery)
        .where(DocumentDelivery.document_id == document_id)
        .order_by(DocumentDelivery.created_at, DocumentDelivery.id)
    ).all()


def delivery(session: Session, key: str) -> DocumentDelivery | None:
    """The delivery that was recorded under a key."""
    return session.scalar(select(DocumentDelivery).where(DocumentDelivery.key == key))


def record_delivery(session: Session, key: str, values: Mapping[str, str | None]) -> None:
    """Record a delivery under its key; a rejection may be corrected, a sent mail stays sent."""
    statement = insert(DocumentDelivery).values(key=key, **values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["key"],
            set_={name: statement.excluded[name] for name in ("status", "message_id", "reason")},
            where=DocumentDelivery.status == DeliveryStatus.REJECTED,
        )
    )
