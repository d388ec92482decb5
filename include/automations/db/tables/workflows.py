"""Automations and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, id_column, now_column, one_of
from automations.domain.statuses import Hold, WorkflowStatus


class Workflow(Base):
    """An automation's changing part; what it does is in its versions."""

    __tablename__ = "workflow"
    __table_args__ = (
        one_of("status", *WorkflowStatus),
        one_of("held_up", *Hold),
        Index("ix_workflow_held_up", "id", postgresql_where=text("held_up IS NOT NULL")),
        Index("ix_workflow_workspace_id_created_at", "workspace_id", "created_at"),
        Index("ix_workflow_trigger_key", "workspace_id", "trigger_key"),
        Index("ix_workflow_republished", "republished"),
        Index(
            "uq_workflow_key",
            "workspace_id",
            "key",
            unique=True,
            postgresql_where=text("deleted_at IS NULL AND key IS NOT NULL"),
        ),
    )

    id: Mapped[str] = id_column()
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True, minvalue=0), unique=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    key: Mapped[str | None]
    """What files of definitions name it by."""
    name: Mapped[str]
    status: Mapped[WorkflowStatus]
    version: Mapped[int]
    republished: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The revision at which it was last published again as it was: somebody deletes DAGs."""
    held_up: Mapped[Hold | None]
    """Why its runs stand still in Airflow, when they do."""
    held_up_by: Mapped[str | None]
    held_up_since: Mapped[datetime | None]
    recovered_from: Mapped[datetime | None]
    """When somebody last deleted its DAG of which all is mended again."""
    trigger_key: Mapped[str | None]
    """What an event must carry to start this automation, for the dispatcher's index."""
    webhook_salt: Mapped[str | None]
    """What the token of the webhook's URL is derived from; none before the first trigger by one."""
    webhook_hash: Mapped[str | None] = mapped_column(unique=True)
    """The secret part of the automation's webhook URL; kept from its first webhook trigger on."""
    created_by: Mapped[str | None]
    created_by_key_id: Mapped[str | None] = mapped_column(ForeignKey("api_key.id"))
    created_by_member_id: Mapped[str | None] = mapped_column(
        ForeignKey("member.id", ondelete="SET NULL")
    )
    """Who made it in the console, with no key."""
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()
    deleted_at: Mapped[datetime | None]


class WorkflowVersion(Base):
    """One immutable definition of an automation."""

    __tablename__ = "workflow_version"
    __table_args__ = (
        one_of("status", *WorkflowStatus),
        UniqueConstraint("workflow_id", "version"),
        Index("ix_workflow_version_workflow_id_revision", "workflow_id", "revision"),
    )

    id: Mapped[str] = id_column()
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflow.id"))
    version: Mapped[int]
    revision: Mapped[int] = mapped_column(BigInteger, unique=True)
    status: Mapped[WorkflowStatus]
    definition: Mapped[dict[str, Any]]
    scheduled_since: Mapped[datetime | None]
    """Since when the schedule has been in force without a break; None when it is not."""
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = now_column()


class WorkflowEdit(Base):
    """What somebody changes of an automation, and has not saved yet."""

    __tablename__ = "workflow_edit"

    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflow.id"), primary_key=True)
    editor_id: Mapped[str] = mapped_column(primary_key=True)
    """The member, or the API key."""
    base_version: Mapped[int]
    """The version that it is a change of."""
    place: Mapped[int]
    """Which of its states it is in: those behind were taken back."""
    last: Mapped[int]
    """The number of its newest state."""
    changes: Mapped[int]
    """How often it was changed: who has seen fewer changes has not seen what it is."""
    sample: Mapped[dict[str, Any]]
    """Data to try templates and steps with, beside that of the last run."""
    changed_at: Mapped[datetime] = now_column()


class WorkflowEditState(Base):
    """What a definition was after one change of an edit."""

    __tablename__ = "workflow_edit_state"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workflow_id", "editor_id"],
            ["workflow_edit.workflow_id", "workflow_edit.editor_id"],
            ondelete="CASCADE",
        ),
    )

    workflow_id: Mapped[str] = mapped_column(primary_key=True)
    editor_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    typed_into: Mapped[str]
    """What was changed, in a word: changes of the same come together while one types."""
    definition: Mapped[dict[str, Any]]
