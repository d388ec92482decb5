"""Who did what, and what was refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, id_column, now_column, one_of
from automations.domain.statuses import Severity

BY_MONTH = {"postgresql_partition_by": "RANGE (at)"}
"""Its parts are made and dropped by ``automations.db.partitions``."""


class AuditLog(Base):
    """One write or decision, committed together with what it records."""

    __tablename__ = "audit_log"
    __table_args__ = (
        one_of("actor_type", "api_key", "recipient", "airflow", "anonymous", "system", "member"),
        Index("ix_audit_log_workspace_id_at", "workspace_id", text("at DESC"), text("id DESC")),
        BY_MONTH,
    )

    # Said to be counted up, as only the column of a whole key is by itself: so many rows are
    # written by one statement.
    id: Mapped[int] = mapped_column(
        BigInteger, Identity(always=True), primary_key=True, autoincrement=True
    )
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    at: Mapped[datetime] = now_column(primary_key=True)
    actor_type: Mapped[str]
    actor: Mapped[str]
    actor_id: Mapped[str | None]
    action: Mapped[str]
    resource_type: Mapped[str]
    resource_id: Mapped[str]
    ip: Mapped[str | None]
    request_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)


class SecurityEvent(Base):
    """A refusal, or a flood of them; of none known workspace when nobody could be named."""

    __tablename__ = "security_event"
    __table_args__ = (
        one_of("severity", *Severity),
        Index(
            "ix_security_event_workspace_id_at", "workspace_id", text("at DESC"), text("id DESC")
        ),
        Index(
            "ix_security_event_flood_key",
            "flood_key",
            postgresql_where=text("flood_key IS NOT NULL"),
        ),
        BY_MONTH,
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str | None] = mapped_column(ForeignKey("workspace.id"))
    at: Mapped[datetime] = now_column(primary_key=True)
    type: Mapped[str]
    severity: Mapped[Severity]
    actor: Mapped[str]
    ip: Mapped[str | None]
    request_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    count: Mapped[int] = mapped_column(server_default="1")
    """How many events this row stands for; above 1 only where a flood was cut off."""
    flood_key: Mapped[str | None]
    """The address and minute whose further events are only counted here."""
