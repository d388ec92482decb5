"""Pipelines: the sources of tables' rows, and the results of each sync."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, among, id_column, now_column, one_of
from automations.domain.statuses import SyncStatus


class PipelineConnection(Base):
    """A named source, and the tables that its records go to."""

    __tablename__ = "pipeline_connection"
    __table_args__ = (
        one_of("connector_type", "push", "http"),
        UniqueConstraint("workspace_id", "name"),
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    name: Mapped[str]
    connector_type: Mapped[str]
    config: Mapped[dict[str, Any]]
    tables: Mapped[list[Any]]
    interval: Mapped[str | None]
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    webhook_salt: Mapped[str | None]
    """What the token of the webhook's URL is derived from; none before the first revealing."""
    webhook_hash: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()


class PipelineRun(Base):
    """One sync: how far it has come, and what it has changed so far."""

    __tablename__ = "pipeline_run"
    __table_args__ = (
        one_of("status", *SyncStatus),
        one_of("started_by", "push", "pull", "schedule", "airflow", "webhook"),
        Index("ix_pipeline_run_connection_id_started_at_id", "connection_id", "started_at", "id"),
        Index(
            "uq_pipeline_run_connection_id_key",
            "connection_id",
            "key",
            unique=True,
            postgresql_where=text(among("status", SyncStatus.RUNNING)),
        ),
        Index(
            "uq_pipeline_run_connection_id_delivery_id",
            "connection_id",
            "delivery_id",
            unique=True,
            postgresql_where=text("delivery_id IS NOT NULL"),
        ),
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    connection_id: Mapped[str] = mapped_column(
        ForeignKey("pipeline_connection.id", ondelete="CASCADE")
    )
    status: Mapped[SyncStatus] = mapped_column(server_default=SyncStatus.RUNNING)
    started_by: Mapped[str]
    key: Mapped[str | None]
    """Only one sync of a connection runs for each key."""
    delivery_id: Mapped[str | None]
    """What the sender calls the delivery to the webhook, by which a repeat is known."""
    rerun_requested: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the source has changed meanwhile, so that another sync follows."""
    pages: Mapped[int] = mapped_column(server_default="0")
    fence: Mapped[int] = mapped_column(server_default="0")
    """Counts up with every page and reset: who has read an older one may not write."""
    cursor: Mapped[str | None]
    """Where the next page is; none before the first."""
    records: Mapped[int] = mapped_column(server_default="0")
    tables: Mapped[list[Any]]
    errors: Mapped[list[Any]]
    error: Mapped[str | None]
    started_at: Mapped[datetime] = now_column()
    completed_at: Mapped[datetime | None]
