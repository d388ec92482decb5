"""The people of a workspace, and their notifications."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, id_column, now_column, one_of


class Member(Base):
    """A person of a workspace; the address is kept in lower case."""

    __tablename__ = "member"
    __table_args__ = (
        one_of("role", "OWNER", "ADMIN", "MEMBER", "VIEWER"),
        UniqueConstraint("workspace_id", "email"),
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    name: Mapped[str]
    email: Mapped[str]
    role: Mapped[str]
    created_at: Mapped[datetime] = now_column()


class Notification(Base):
    """Something a member was told, or an API key that belongs to no member."""

    __tablename__ = "notification"
    __table_args__ = (
        Index("ix_notification_user_id_created_at", "user_id", text("created_at DESC"), "id"),
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    user_id: Mapped[str]
    type: Mapped[str]
    title: Mapped[str]
    message: Mapped[str] = mapped_column(server_default="")
    link: Mapped[str | None]
    read_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()
