"""The tables of the ``automations`` database."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from automations.ids import new_id


class Base(DeclarativeBase):
    """Names constraints the same way everywhere, so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


def _id() -> Mapped[str]:
    return mapped_column(primary_key=True, default=new_id)


def _now() -> Mapped[datetime]:
    return mapped_column(server_default=func.clock_timestamp())


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class Workspace(Base):
    """A tenant; nothing is ever shared between two."""

    __tablename__ = "workspace"

    id: Mapped[str] = _id()
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = _now()


class ApiKey(Base):
    """A bearer token; only its hash is kept."""

    __tablename__ = "api_key"
    __table_args__ = (_one_of("role", "OWNER", "ADMIN", "MEMBER", "VIEWER"),)

    id: Mapped[str] = _id()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), index=True)
    name: Mapped[str]
    role: Mapped[str]
    prefix: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = _now()
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Form(Base):
    """A form whose submissions may start runs."""

    __tablename__ = "form"

    id: Mapped[str] = _id()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), index=True)
    title: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    schema: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = _now()
    updated_at: Mapped[datetime] = _now()


class Submission(Base):
    """What somebody filled into a form, with the form's version at that moment."""

    __tablename__ = "submission"
    __table_args__ = (
        _one_of("status", "PENDING", "APPROVED", "REJECTED"),
        Index("ix_submission_form_id_created_at", "form_id", "created_at"),
    )

    id: Mapped[str] = _id()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), index=True)
    form_id: Mapped[str] = mapped_column(ForeignKey("form.id"))
    form_version: Mapped[int]
    data: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(server_default="PENDING")
    created_at: Mapped[datetime] = _now()


class Workflow(Base):
    """An automation's changing part; what it does is in its versions."""

    __tablename__ = "workflow"
    __table_args__ = (
        _one_of("status", "DRAFT", "ACTIVE", "PAUSED", "ARCHIVED"),
        Index("ix_workflow_workspace_id_created_at", "workspace_id", "created_at"),
        Index("ix_workflow_trigger_key", "workspace_id", "trigger_key"),
    )

    id: Mapped[str] = _id()
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True, minvalue=0), unique=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    name: Mapped[str]
    status: Mapped[str]
    version: Mapped[int]
    trigger_key: Mapped[str | None]
    """What an event must carry to start this automation, for the dispatcher's index."""
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = _now()
    updated_at: Mapped[datetime] = _now()
    deleted_at: Mapped[datetime | None]


class WorkflowVersion(Base):
    """One immutable definition of an automation."""

    __tablename__ = "workflow_version"
    __table_args__ = (
        UniqueConstraint("workflow_id", "version"),
        Index("ix_workflow_version_workflow_id_revision", "workflow_id", "revision"),
    )

    id: Mapped[str] = _id()
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflow.id"))
    version: Mapped[int]
    revision: Mapped[int] = mapped_column(BigInteger, unique=True)
    status: Mapped[str]
    definition: Mapped[dict[str, Any]]
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = _now()


class Event(Base):
    """Something that happened and may start runs; committed before its sender is answered."""

    __tablename__ = "event"
    __table_args__ = (
        _one_of("status", "PENDING", "MATCHED", "SKIPPED"),
        Index("ix_event_workspace_id_created_at", "workspace_id", "created_at"),
    )

    id: Mapped[str] = _id()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    type: Mapped[str]
    trigger_key: Mapped[str]
    data: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(server_default="PENDING")
    reason: Mapped[str | None]
    created_at: Mapped[datetime] = _now()
    matched_at: Mapped[datetime | None]


class Run(Base):
    """One run of one version of an automation; its id is the DagRun's run_id."""

    __tablename__ = "run"
    __table_args__ = (
        _one_of(
            "status",
            "RUNNING",
            "COMPLETED",
            "FAILED",
            "PAUSED",
            "CANCELLED",
            "WAITING_FOR_CHILD",
        ),
        UniqueConstraint("event_id", "workflow_id"),
        Index("ix_run_workflow_id_started_at", "workflow_id", text("started_at DESC"), "id"),
        Index(
            "ix_run_unfinished",
            "started_at",
            postgresql_where=text("status IN ('RUNNING', 'PAUSED', 'WAITING_FOR_CHILD')"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), index=True)
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflow.id"))
    version: Mapped[int]
    status: Mapped[str] = mapped_column(server_default="RUNNING")
    trigger_type: Mapped[str]
    trigger_data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    input: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    variables: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    event_id: Mapped[str | None] = mapped_column(ForeignKey("event.id"))
    parent_run_id: Mapped[str | None] = mapped_column(ForeignKey("run.id"), index=True)
    generation: Mapped[int] = mapped_column(server_default="0")
    """The DagRun's clear_number that this run's state belongs to."""
    dispatched_at: Mapped[datetime | None]
    started_by: Mapped[str | None]
    started_at: Mapped[datetime] = _now()
    completed_at: Mapped[datetime | None]
    error: Mapped[str | None]


class RunStep(Base):
    """Where one node of a run stands; the run's state is made of these rows."""

    __tablename__ = "run_step"
    __table_args__ = (_one_of("status", "RUNNING", "WAITING", "DONE", "FAILED", "SKIPPED"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    node_id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    generation: Mapped[int]
    attempt: Mapped[int]
    """Attempts in this generation."""
    retries: Mapped[int] = mapped_column(server_default="0")
    """Attempts after the first, over all generations: the state's ``retryCount``."""
    input: Mapped[dict[str, Any] | None]
    output: Mapped[dict[str, Any] | None]
    verdict: Mapped[dict[str, Any] | None]
    """What was answered to the orchestrator, for a repeat after a crash."""
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class StepLog(Base):
    """One line of a run's log: an attempt that ended."""

    __tablename__ = "step_log"
    __table_args__ = (
        _one_of("status", "success", "failed", "retrying"),
        Index("ix_step_log_run_id_id", "run_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"))
    step_id: Mapped[str]
    step_type: Mapped[str]
    step_name: Mapped[str]
    status: Mapped[str]
    duration_ms: Mapped[int] = mapped_column(Integer)
    timestamp: Mapped[datetime]
    output: Mapped[str]


class Wait(Base):
    """A pause of a run: open until the first answer, its due time or its expiry."""

    __tablename__ = "wait"
    __table_args__ = (
        _one_of("status", "OPEN", "ANSWERED", "CANCELLED"),
        _one_of("kind", "delay", "decision", "callback", "child"),
        Index(
            "uq_wait_open_node",
            "run_id",
            "node_id",
            unique=True,
            postgresql_where=text("status = 'OPEN'"),
        ),
        Index("ix_wait_run_id_created_at", "run_id", "created_at"),
    )

    id: Mapped[str] = _id()
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"))
    node_id: Mapped[str]
    generation: Mapped[int]
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="OPEN")
    question: Mapped[dict[str, Any] | None]
    due_at: Mapped[datetime]
    """When it ends by itself: a delay elapses, a decision expires."""
    decision: Mapped[str | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    data: Mapped[Any | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = _now()


class Approver(Base):
    """One person asked in a decision, and the token of the link they were sent."""

    __tablename__ = "approver"
    __table_args__ = (UniqueConstraint("wait_id", "address"),)

    id: Mapped[str] = _id()
    wait_id: Mapped[str] = mapped_column(ForeignKey("wait.id"))
    address: Mapped[str]
    token_hash: Mapped[str | None] = mapped_column(unique=True)
    sent_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    decision: Mapped[str | None]


class Job(Base):
    """Work for the dispatcher that survives a crash; done jobs are deleted."""

    __tablename__ = "job"
    __table_args__ = (
        _one_of("kind", "match_event", "start_run", "answer_wait", "ask_approvers", "fail_run"),
        UniqueConstraint("kind", "subject_id"),
        Index("ix_job_ready", "available_at", "id", postgresql_where=text("dead_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    subject_id: Mapped[str]
    claims: Mapped[int] = mapped_column(server_default="0")
    """Counts up with every claim; only the holder of the last one may settle the job."""
    failures: Mapped[int] = mapped_column(server_default="0")
    available_at: Mapped[datetime] = _now()
    error: Mapped[str | None]
    dead_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = _now()


class RateLimit(Base):
    """Hits per key and window; unlogged, since losing it in a crash only forgives."""

    __tablename__ = "rate_limit"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    key: Mapped[str] = mapped_column(primary_key=True)
    window: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    hits: Mapped[int]


class Watermark(Base):
    """How far a periodic reader has come."""

    __tablename__ = "watermark"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
