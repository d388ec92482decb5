"""Secrets and integrations; secret values are encrypted before they are stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, id_column, now_column, one_of


class Secret(Base):
    """A value that templates name as ``secret.NAME``."""

    __tablename__ = "secret"

    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    ciphertext: Mapped[str]
    fingerprint: Mapped[str]
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()


class Integration(Base):
    """An outside service that a workspace uses, and how to sign in there."""

    __tablename__ = "integration"
    __table_args__ = (
        one_of("type", "EMAIL_PROVIDER", "DOCUMENT_ENGINE", "WEBHOOK", "SLACK", "AI_PROVIDER"),
        UniqueConstraint("workspace_id", "name"),
        Index(
            "uq_integration_site_email_provider",
            "workspace_id",
            unique=True,
            postgresql_where=text("is_site_email_provider"),
        ),
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    name: Mapped[str]
    type: Mapped[str]
    config: Mapped[dict[str, Any]]
    ciphertext: Mapped[str | None]
    fingerprint: Mapped[str | None]
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    is_site_email_provider: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()
