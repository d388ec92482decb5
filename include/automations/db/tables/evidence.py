"""Evidence: snapshots, chained so that no change stays hidden."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, id_column, one_of


class EvidenceSnapshot(Base):
    """One link of a workspace's chain; its content is never written again."""

    __tablename__ = "evidence_snapshot"
    __table_args__ = (
        one_of("source", "TABLE_ROWS", "AUDIT_LOGS", "SECURITY_EVENTS", "ORG_MEMBERS"),
        UniqueConstraint("workspace_id", "number"),
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    number: Mapped[int]
    """Place in the workspace's chain, from 1."""
    source: Mapped[str]
    title: Mapped[str]
    query: Mapped[dict[str, Any]]
    row_count: Mapped[int]
    content: Mapped[bytes] = mapped_column(deferred=True)
    """The rows as canonical JSON."""
    sha256: Mapped[str]
    """Of the content."""
    previous_sha256: Mapped[str | None]
    """The chain hash of the snapshot before; none for the first."""
    chain_sha256: Mapped[str]
    """Of everything in this row but itself, the content by its hash."""
    run_id: Mapped[str | None]
    """The run that took it, which retention may have deleted since."""
    created_at: Mapped[datetime]
