"""Workspaces and who may use them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, id_column, now_column, one_of


class Workspace(Base):
    """A tenant; nothing is ever shared between two."""

    __tablename__ = "workspace"

    id: Mapped[str] = id_column()
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = now_column()


class ApiKey(Base):
    """A bearer token; only its hash is kept."""

    __tablename__ = "api_key"
    __table_args__ = (one_of("role", "OWNER", "ADMIN", "MEMBER", "VIEWER"),)

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), index=True)
    member_id: Mapped[str | None] = mapped_column(
        ForeignKey("member.id", ondelete="SET NULL"), index=True
    )
    created_by: Mapped[str | None]
    """The identity of who made it; none when the launcher did."""
    name: Mapped[str]
    role: Mapped[str]
    prefix: Mapped[str]
    scopes: Mapped[list[Any] | None]
    """What it is limited to below its role; none is no limit."""
    token_hash: Mapped[str] = mapped_column(unique=True)
    previous_token_hash: Mapped[str | None] = mapped_column(unique=True)
    """The token before the last rotation, good until ``previous_expires_at``."""
    previous_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
