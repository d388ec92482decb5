"""The progress of loops, so that they resume after a crash or a pause."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base


class LoopCursor(Base):
    """Where a loop stands; a loop inside another one has one for each of its places."""

    __tablename__ = "loop_cursor"

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    node_id: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    path: Mapped[str] = mapped_column(primary_key=True)
    """Empty for the node's own loop; ``[3]/inner`` for a loop in its fourth iteration."""
    open: Mapped[dict[str, Any]]
    """What the steps of each iteration that has begun came to, by the iteration's index."""
    waiting: Mapped[str | None]
    """The idempotency key of the step in the body that waits."""
    items: Mapped[list[Any] | None]
    """What is gone through; absent where a secret is in it."""


class LoopResult(Base):
    """What some iterations in a row came to."""

    __tablename__ = "loop_result"

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    node_id: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    path: Mapped[str] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """The first iteration of the row."""
    entries: Mapped[list[Any]]
