"""Passwords and sessions of members in the console."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, id_column, now_column


class MemberPassword(Base):
    """A member's password, and the invitation to set it; of both only hashes are kept."""

    __tablename__ = "member_password"

    member_id: Mapped[str] = mapped_column(
        ForeignKey("member.id", ondelete="CASCADE"), primary_key=True
    )
    password_hash: Mapped[str | None]
    changed_at: Mapped[datetime | None]
    networks: Mapped[list[Any]] = mapped_column(default=list)
    """From where the member has signed in last; guesses elsewhere do not keep them out there."""
    invite_hash: Mapped[str | None] = mapped_column(unique=True)
    invite_expires_at: Mapped[datetime | None]


class SignIn(Base):
    """A member's session in the console; of its token only the hash is kept."""

    __tablename__ = "sign_in"

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    member_id: Mapped[str] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    ip: Mapped[str | None]
    created_at: Mapped[datetime] = now_column()
    last_used_at: Mapped[datetime] = now_column()
    expires_at: Mapped[datetime]
