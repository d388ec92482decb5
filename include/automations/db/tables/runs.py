"""Runs: their state, logs and pauses."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, among, id_column, now_column, one_of
from automations.domain.statuses import (
    UNFINISHED,
    AttemptStatus,
    Decision,
    RunStatus,
    SlotStatus,
    StepStatus,
    WaitKind,
    WaitStatus,
)
from automations.kit.ids import new_id


class Run(Base):
    """One run of one version of an automation; its id is the DagRun's, if that is of our form."""

    __tablename__ = "run"
    __table_args__ = (
        one_of("status", *RunStatus),
        one_of("slot", *SlotStatus),
        UniqueConstraint("event_id", "workflow_id"),
        Index(
            "ix_run_rate_key",
            "rate_key",
            "started_at",
            postgresql_where=text("rate_key IS NOT NULL"),
        ),
        Index(
            "ix_run_slot",
            "slot_key",
            "slot",
            "started_at",
            "id",
            postgresql_where=text(f"slot IS NOT NULL AND {among('status', *UNFINISHED)}"),
        ),
        Index("ix_run_completed_at", "completed_at"),
        Index("ix_run_workflow_id_started_at", "workflow_id", text("started_at DESC"), "id"),
        Index("ix_run_workspace_id_started_at", "workspace_id", text("started_at DESC"), "id"),
        Index(
            "ix_run_unfinished",
            "started_at",
            postgresql_where=text(among("status", *UNFINISHED)),
        ),
        Index(
            "ix_run_in_airflow",
            "dispatched_at",
            postgresql_where=text(
                f"{among('status', RunStatus.RUNNING)} AND dispatched_at IS NOT NULL"
            ),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflow.id"))
    version: Mapped[int]
    status: Mapped[RunStatus] = mapped_column(server_default=RunStatus.RUNNING)
    trigger_type: Mapped[str]
    trigger_data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    input: Mapped[dict[str, Any]] = mapped_column(default=dict)
    variables: Mapped[dict[str, Any]] = mapped_column(default=dict)
    event_id: Mapped[str | None] = mapped_column(ForeignKey("event.id"))
    depth: Mapped[int] = mapped_column(server_default="0")
    """How many runs, each caused by the one before, led to this one."""
    parent_run_id: Mapped[str | None] = mapped_column(index=True)
    """The run whose step has started this one, which retention may have deleted since."""
    awaited: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the parent waits for this run's end, and is not to leave it behind."""
    replay_of_run_id: Mapped[str | None]
    """The run that was replayed, which retention may have deleted since."""
    traceparent: Mapped[str | None]
    """The trace that its steps belong to."""
    slot_key: Mapped[str | None]
    """What the run counts for in its automation's limit of concurrent runs, when it has one."""
    rate_key: Mapped[str | None]
    """What it counts for in its automation's limit of runs in a time, when it has one."""
    slot: Mapped[SlotStatus | None]
    """Whether the run waits for its turn, or holds a slot until it has ended."""
    generation: Mapped[int] = mapped_column(server_default="0")
    """The DagRun's clear_number that this run's state belongs to."""
    reviving: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether it is retried, and Airflow, where it has failed, is still to be told of that."""
    model_cost: Mapped[Decimal] = mapped_column(server_default="0")
    """US dollars that its steps have spent on language models, or have set aside to spend."""
    model_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The same in tokens."""
    express: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether express workers do its first steps, before Airflow has it."""
    dispatched_at: Mapped[datetime | None]
    dag_run_id: Mapped[str | None]
    """The DagRun's id where that is another: of a backfill, or made up by a person in Airflow."""
    started_by: Mapped[str | None]
    starters: Mapped[list[Any]] = mapped_column(default=list)
    """The identities of the people who made it begin, by whatever way."""
    started_at: Mapped[datetime] = now_column()
    completed_at: Mapped[datetime | None]
    error: Mapped[str | None]

    @property
    def in_airflow(self) -> str:
        """The id by which Airflow knows the run."""
        return self.dag_run_id or self.id


class RunCount(Base):
    """A part of the number of runs of a status; the number is the sum of all parts.

    Triggers of ``run`` add parts and change none, so that no run waits for another one's.
    """

    __tablename__ = "run_count"
    __table_args__ = (
        one_of("status", *RunStatus),
        Index("ix_run_count_workspace_id_workflow_id", "workspace_id", "workflow_id"),
        Index("ix_run_count_added", "id", postgresql_where=text("NOT summed")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    workspace_id: Mapped[str]
    workflow_id: Mapped[str]
    """Empty: a part of the whole workspace's number."""
    status: Mapped[RunStatus]
    runs: Mapped[int] = mapped_column(BigInteger)
    summed: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether this is a sum of parts."""


class RunStep(Base):
    """Where one node of a run stands; the run's state is made of these rows."""

    __tablename__ = "run_step"
    __table_args__ = (one_of("status", *StepStatus),)

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    node_id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[StepStatus]
    generation: Mapped[int]
    attempt: Mapped[int]
    """Attempts in this generation."""
    deaths: Mapped[int] = mapped_column(server_default="0")
    """How often its process was killed in this generation, by which it loses no attempt."""
    unseen_deaths: Mapped[int] = mapped_column(server_default="0")
    """How often since it was begun, where a worker notes it; counted when it is begun again."""
    retries: Mapped[int] = mapped_column(server_default="0")
    """How often it was begun again, over all generations: the state's ``retryCount``."""
    input: Mapped[dict[str, Any] | None]
    output: Mapped[dict[str, Any] | None]
    verdict: Mapped[dict[str, Any] | None]
    """What was answered to the orchestrator, for a repeat after a crash."""
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    retry_at: Mapped[datetime | None]
    """When the attempt may begin that follows a failed one, however early a process comes."""
    log_lines: Mapped[list[Any] | None]
    """Lines for the log of its task, until the orchestrator has them: when, how grave, what."""


class Handover(Base):
    """What was done ahead of the orchestrator's tasks, until the orchestrator shows it so."""

    __tablename__ = "handover"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), index=True)
    marks: Mapped[dict[str, Any]]
    """How its tasks are to be marked, in the words of the host that has written it."""
    created_at: Mapped[datetime] = now_column()


class StepLog(Base):
    """One line of a run's log: an attempt that ended."""

    __tablename__ = "step_log"
    __table_args__ = (
        one_of("status", *AttemptStatus),
        Index("ix_step_log_run_id_id", "run_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"))
    step_id: Mapped[str]
    step_type: Mapped[str]
    step_name: Mapped[str]
    status: Mapped[AttemptStatus]
    duration_ms: Mapped[int] = mapped_column(Integer)
    timestamp: Mapped[datetime]
    output: Mapped[str]
    iteration: Mapped[list[Any] | None]
    """In a loop: the index of the item, after those of the loops around it."""


class Wait(Base):
    """A pause of a run: open until the first answer, its due time or its expiry."""

    __tablename__ = "wait"
    __table_args__ = (
        one_of("status", *WaitStatus),
        one_of("kind", *WaitKind),
        one_of("decision", *Decision),
        Index(
            "uq_wait_open_node",
            "run_id",
            "node_id",
            unique=True,
            postgresql_where=text(among("status", WaitStatus.OPEN)),
        ),
        Index("ix_wait_run_id_number", "run_id", "number"),
        Index("ix_wait_due", "due_at", postgresql_where=text(among("status", WaitStatus.OPEN))),
    )

    id: Mapped[str] = id_column()
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"))
    node_id: Mapped[str]
    generation: Mapped[int]
    kind: Mapped[WaitKind]
    status: Mapped[WaitStatus] = mapped_column(server_default=WaitStatus.OPEN)
    question: Mapped[dict[str, Any] | None]
    key: Mapped[str | None]
    """The idempotency key of the step that waits, by which its callback or forms are known."""
    due_at: Mapped[datetime]
    """When it ends by itself: a delay elapses, a decision expires."""
    decision: Mapped[Decision | None]
    decided_by: Mapped[str | None]
    override: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether somebody has decided in place of those who were asked."""
    decided_at: Mapped[datetime | None]
    data: Mapped[Any | None] = mapped_column(JSON)
    reason: Mapped[str | None]
    """Why, in the words of whoever has decided."""
    created_at: Mapped[datetime] = now_column()
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    """Of two pauses of a step the later one has the higher one, however the clock was set."""


class Callback(Base):
    """A URL that a step has handed out, made before the step acts, and what was sent to it."""

    __tablename__ = "callback"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), index=True)
    key: Mapped[str] = mapped_column(unique=True)
    """The step's idempotency key."""
    called_at: Mapped[datetime | None]
    data: Mapped[Any | None] = mapped_column(JSON)
    created_at: Mapped[datetime] = now_column()


class Approver(Base):
    """One person asked in a decision, and the token of the link they were sent."""

    __tablename__ = "approver"
    __table_args__ = (one_of("decision", *Decision), UniqueConstraint("wait_id", "address"))

    id: Mapped[str] = id_column()
    wait_id: Mapped[str] = mapped_column(ForeignKey("wait.id"))
    address: Mapped[str]
    token_hash: Mapped[str | None] = mapped_column(unique=True)
    sent_at: Mapped[datetime | None]
    undelivered: Mapped[str | None]
    """Why the last mail to them has not arrived."""
    used_at: Mapped[datetime | None]
    decision: Mapped[Decision | None]
    reason: Mapped[str | None]
