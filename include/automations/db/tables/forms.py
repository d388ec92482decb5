"""Forms and their submissions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, id_column, now_column, one_of
from automations.domain.statuses import SubmissionStatus


class Form(Base):
    """A form whose submissions may start runs."""

    __tablename__ = "form"

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), index=True)
    title: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    schema: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(server_default="1")
    public: Mapped[bool] = mapped_column(server_default="false")
    """Whether anybody may fill it in, without a key."""
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()
    deleted_at: Mapped[datetime | None]


class FormVersion(Base):
    """What a form was like when submissions named this version; never changed."""

    __tablename__ = "form_version"

    form_id: Mapped[str] = mapped_column(ForeignKey("form.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str]
    description: Mapped[str]
    schema: Mapped[dict[str, Any]]
    created_by: Mapped[str | None]
    """Who has made it, by name."""
    created_at: Mapped[datetime] = now_column()


class FormEdit(Base):
    """What somebody changes of a form, and has not saved yet."""

    __tablename__ = "form_edit"

    form_id: Mapped[str] = mapped_column(ForeignKey("form.id"), primary_key=True)
    editor_id: Mapped[str] = mapped_column(primary_key=True)
    """The member, or the API key."""
    base_version: Mapped[int]
    """The version that it is a change of."""
    states: Mapped[list[Any]]
    """What it was after each change, the oldest first: some to go back to."""
    place: Mapped[int]
    """Which of its states it is in: those behind were taken back."""
    typed_into: Mapped[str]
    """What was changed last, in a word: changes of the same come together while one types."""
    changes: Mapped[int]
    """How often it was changed: who has seen fewer changes has not seen what it is."""
    changed_at: Mapped[datetime] = now_column()


class Submission(Base):
    """What somebody filled into a form, with the form's version at that moment."""

    __tablename__ = "submission"
    __table_args__ = (
        one_of("status", *SubmissionStatus),
        Index("ix_submission_form_id_created_at", "form_id", "created_at"),
        Index("ix_submission_workspace_id_created_at", "workspace_id", "created_at"),
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"))
    form_id: Mapped[str] = mapped_column(ForeignKey("form.id"))
    form_version: Mapped[int]
    data: Mapped[dict[str, Any]]
    status: Mapped[SubmissionStatus] = mapped_column(server_default=SubmissionStatus.PENDING)
    created_at: Mapped[datetime] = now_column()
    submitters: Mapped[list[Any]] = mapped_column(default=list)
    """The identities of who filled it in and changed it; none for anybody at a public form."""
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]


class SubmissionSnapshot(Base):
    """What a submission held before a change; never changed."""

    __tablename__ = "submission_snapshot"
    __table_args__ = (UniqueConstraint("submission_id", "number"),)

    id: Mapped[str] = id_column()
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    number: Mapped[int]
    form_version: Mapped[int]
    data: Mapped[dict[str, Any]]
    changed_by: Mapped[str]
    created_at: Mapped[datetime] = now_column()


class FormRequest(Base):
    """A form that a run has sent to one person."""

    __tablename__ = "form_request"
    __table_args__ = (UniqueConstraint("key", "recipient"),)

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), index=True)
    form_id: Mapped[str] = mapped_column(ForeignKey("form.id"))
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), index=True)
    key: Mapped[str]
    """The idempotency key of the step that sent it."""
    recipient: Mapped[str]
    subject: Mapped[str]
    message: Mapped[str]
    prefill: Mapped[dict[str, Any]]
    wait_for: Mapped[str | None]
    remind_seconds: Mapped[float | None]
    token_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    undelivered: Mapped[str | None]
    """Why the last mail to them has not arrived."""
    submission_id: Mapped[str | None] = mapped_column(ForeignKey("submission.id"))
    submitted_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()
