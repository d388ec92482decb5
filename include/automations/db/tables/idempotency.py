"""Requests that must not be carried out twice."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base


class IdempotencyKey(Base):
    """A client's key for one request, and the answer once there is one."""

    __tablename__ = "idempotency_key"

    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str]
    claim: Mapped[str]
    """Under which its effects outside are made; the same when it is taken up after a crash."""
    status: Mapped[int | None]
    """Of the answer; none while a request is carried out that acts outside, or if it was lost."""
    answer: Mapped[str | None]
    """Headers and body, encrypted: they may hold a token that is kept nowhere else."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)
