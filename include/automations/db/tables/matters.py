"""Matters, and the boards that they are made from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, id_column, now_column, one_of
from automations.domain.statuses import MatterStatus, MatterStepStatus


class MatterTemplate(Base):
    """A board: the steps that each matter made from it goes through."""

    __tablename__ = "matter_template"
    __table_args__ = (one_of("board_type", "PROCESS", "PIPELINE", "KANBAN"),)

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), index=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    board_type: Mapped[str]
    steps: Mapped[list[Any]]
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()
    deleted_at: Mapped[datetime | None]


class Matter(Base):
    """One case; its steps are a copy of its board's at the moment it was made."""

    __tablename__ = "matter"
    __table_args__ = (
        one_of("status", *MatterStatus),
        one_of("priority", "LOW", "MEDIUM", "HIGH", "URGENT"),
        UniqueConstraint("workspace_id", "number"),
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    template_id: Mapped[str] = mapped_column(ForeignKey("matter_template.id"), index=True)
    number: Mapped[int]
    title: Mapped[str]
    status: Mapped[MatterStatus] = mapped_column(server_default=MatterStatus.ACTIVE)
    priority: Mapped[str]
    tags: Mapped[list[Any]]
    assignee_id: Mapped[str | None] = mapped_column(
        ForeignKey("member.id", ondelete="SET NULL"), index=True
    )
    properties: Mapped[dict[str, Any]] = mapped_column(default=dict)
    current_step_id: Mapped[str | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()
    completed_at: Mapped[datetime | None]


class MatterStep(Base):
    """One step of one matter."""

    __tablename__ = "matter_step"
    __table_args__ = (
        one_of("status", *MatterStepStatus),
        Index("ix_matter_step_matter_id_order", "matter_id", "order"),
    )

    id: Mapped[str] = id_column()
    matter_id: Mapped[str] = mapped_column(ForeignKey("matter.id"))
    template_step_id: Mapped[str]
    name: Mapped[str]
    type: Mapped[str]
    order: Mapped[int]
    status: Mapped[MatterStepStatus] = mapped_column(server_default=MatterStepStatus.PENDING)
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]


class MatterCounter(Base):
    """The last number that a workspace's matters have used."""

    __tablename__ = "matter_counter"

    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), primary_key=True)
    last: Mapped[int]
