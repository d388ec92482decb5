"""Document templates, the documents made from them, and their deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, id_column, now_column, one_of
from automations.domain.forms.uploads import CONTENT_TYPES
from automations.domain.statuses import DeliveryStatus


class DocumentTemplate(Base):
    """A DOCX or Markdown file with placeholders."""

    __tablename__ = "document_template"
    __table_args__ = (
        one_of("format", "docx", "markdown"),
        Index("ix_document_template_workspace_id_created_at", "workspace_id", "created_at"),
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    name: Mapped[str]
    format: Mapped[str]
    content: Mapped[bytes] = mapped_column(deferred=True)
    size: Mapped[int]
    sha256: Mapped[str]
    placeholders: Mapped[list[Any]]
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()


class Document(Base):
    """A document that a run made or somebody uploaded; its content never changes."""

    __tablename__ = "document"
    __table_args__ = (
        one_of("format", *CONTENT_TYPES),
        Index("ix_document_workspace_id_created_at", "workspace_id", "created_at"),
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    run_id: Mapped[str | None] = mapped_column(index=True)
    """The run that made it or asked for it, which retention may have deleted since."""
    submission_id: Mapped[str | None] = mapped_column(ForeignKey("submission.id"), index=True)
    """The submission that it was uploaded with."""
    template_id: Mapped[str | None]
    """The template it was made of, which may have been deleted since."""
    template_version: Mapped[int | None]
    name: Mapped[str]
    format: Mapped[str]
    content: Mapped[bytes] = mapped_column(deferred=True)
    size: Mapped[int]
    sha256: Mapped[str]
    engine: Mapped[str | None]
    created_at: Mapped[datetime] = now_column()


class DocumentDelivery(Base):
    """What became of sending a document to one address."""

    __tablename__ = "document_delivery"
    __table_args__ = (
        one_of("status", *DeliveryStatus),
        UniqueConstraint("key"),
        Index("ix_document_delivery_document_id_created_at", "document_id", "created_at"),
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    document_id: Mapped[str] = mapped_column(ForeignKey("document.id"))
    run_id: Mapped[str]
    key: Mapped[str]
    """The idempotency key of the mail, by which a repeat finds what was done."""
    address: Mapped[str]
    status: Mapped[DeliveryStatus]
    message_id: Mapped[str | None]
    reason: Mapped[str | None]
    created_at: Mapped[datetime] = now_column()
