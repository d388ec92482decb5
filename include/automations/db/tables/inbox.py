"""Work to do: events, jobs, and their counters."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, id_column, now_column, one_of
from automations.domain.statuses import EventStatus


class Event(Base):
    """Something that happened and may start runs; committed before its sender is answered."""

    __tablename__ = "event"
    __table_args__ = (
        one_of("status", *EventStatus),
        Index("ix_event_workspace_id_created_at", "workspace_id", "created_at"),
        UniqueConstraint("workspace_id", "source", "external_id"),
        Index(
            "uq_event_signature",
            *("workspace_id", "source", "signature"),
            unique=True,
            postgresql_where=text("signature IS NOT NULL"),
        ),
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    type: Mapped[str]
    trigger_key: Mapped[str]
    data: Mapped[dict[str, Any]]
    actors: Mapped[list[Any]] = mapped_column(default=list)
    """The identities of the people who made it happen."""
    cause_run_id: Mapped[str | None]
    """The run whose step made it happen, for chains of automations."""
    source: Mapped[str | None]
    external_id: Mapped[str | None]
    """The sender's own id of the event, by which a repeat is known."""
    signature: Mapped[str | None]
    """What the sender has signed it with, where it does not sign its id: so a repeat is known."""
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The body of a webhook's delivery as it came, which its signature speaks of."""
    traceparent: Mapped[str | None]
    """The trace that the runs which it starts belong to."""
    status: Mapped[EventStatus] = mapped_column(server_default=EventStatus.PENDING)
    reason: Mapped[str | None]
    created_at: Mapped[datetime] = now_column()
    matched_at: Mapped[datetime | None]


class JobKind(StrEnum):
    """What a job is for; its handler in ``dispatch.jobs`` says what is done."""

    MATCH_EVENT = "match_event"
    START_RUN = "start_run"
    START_CHILD = "start_child"
    EXPRESS_RUN = "express_run"
    SHOW_RUN = "show_run"
    ANSWER_WAIT = "answer_wait"
    ASK_APPROVER = "ask_approver"
    REMIND_APPROVER = "remind_approver"
    ESCALATE_WAIT = "escalate_wait"
    SEND_FORM = "send_form"
    FAIL_RUN = "fail_run"
    RETRY_RUN = "retry_run"
    WAKE_PARENT = "wake_parent"
    SYNC_PIPELINE = "sync_pipeline"
    SCHEDULE_PIPELINE = "schedule_pipeline"
    RETRY_LATEST = "retry_latest"
    REPORT_FAILURE = "report_failure"
    ADMIT_RUN = "admit_run"
    NEXT_RUN = "next_run"
    END_DEBOUNCE = "end_debounce"
    NAME_OVERRIDE = "name_override"
    END_RUNS = "end_runs"
    CALL_DAG = "call_dag"
    END_DAG_RUN = "end_dag_run"


class Job(Base):
    """Work for the dispatcher that survives a crash; done jobs are deleted."""

    __tablename__ = "job"
    __table_args__ = (
        one_of("kind", *JobKind),
        UniqueConstraint("kind", "subject_id"),
        Index(
            "ix_job_due",
            *("kind", "available_at", "id"),
            postgresql_where=text("lane IS NULL AND dead_at IS NULL"),
        ),
        Index(
            "ix_job_line",
            *("kind", "urgent", "workspace_id", "lane", "available_at", "id"),
            postgresql_where=text("lane IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    subject_id: Mapped[str]
    workspace_id: Mapped[str | None]
    """Whose it is; known from the beginning of a job that waits for others outside."""
    lane: Mapped[str | None]
    """The line that it stands in, which is its automation's, from when it is due until claimed."""
    urgent: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether it stands in a line of those that somebody waits for."""
    claims: Mapped[int] = mapped_column(server_default="0")
    """Counts up with every claim; only the holder of the last one may settle the job."""
    holder: Mapped[int | None]
    """The dispatcher that handles the job now; it holds an advisory lock of this number."""
    failures: Mapped[int] = mapped_column(server_default="0")
    available_at: Mapped[datetime] = now_column()
    error: Mapped[str | None]
    dead_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()


class DebouncedEvents(Base):
    """Events of one key that become one run of the last of them, when no more come for a while."""

    __tablename__ = "debounced_events"
    __table_args__ = (UniqueConstraint("workflow_id", "key"),)

    id: Mapped[str] = id_column()
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflow.id"))
    key: Mapped[str]
    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"), index=True)
    """The latest, which counts."""
    event_at: Mapped[datetime]
    replaced_id: Mapped[str | None]
    """The event that the last one to come has put aside, or itself when a later one was there."""
    events: Mapped[int] = mapped_column(server_default="1")
    due_at: Mapped[datetime]
    latest_at: Mapped[datetime | None]


class RateLimit(Base):
    """Hits per key in its window; unlogged, since losing it in a crash only forgives."""

    __tablename__ = "rate_limit"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    key: Mapped[str] = mapped_column(primary_key=True)
    hits: Mapped[int]
    ends_at: Mapped[datetime] = now_column()
    """When the window ends that began with the first of them."""


class Watermark(Base):
    """How far a periodic reader has come."""

    __tablename__ = "watermark"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
