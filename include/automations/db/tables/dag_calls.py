"""Runs of other DAGs that steps have requested."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, now_column, one_of
from automations.domain.statuses import DagCallStatus


class DagCall(Base):
    """A DagRun that a step wants; its id, made from the step's key, is the DagRun's."""

    __tablename__ = "dag_call"
    __table_args__ = (
        one_of("status", *DagCallStatus),
        Index("ix_dag_call_run_id", "run_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"))
    dag_id: Mapped[str]
    conf: Mapped[dict[str, Any]]
    awaited: Mapped[bool]
    """Whether the run waits for its end, and not only for its beginning."""
    status: Mapped[DagCallStatus] = mapped_column(server_default=DagCallStatus.REQUESTED)
    takers: Mapped[int] = mapped_column(server_default="0")
    """How many processes have begun to do it, of an operator: the last of them counts."""
    outputs: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    """What its tasks have returned, by their ids."""
    error: Mapped[str | None]
    created_at: Mapped[datetime] = now_column()
    ended_at: Mapped[datetime | None]
