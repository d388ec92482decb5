"""Effects outside a run's own state, recorded so that a repeat finds them done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, now_column


class Effect(Base):
    """The result of an effect on our own resources, by the idempotency key of its step."""

    __tablename__ = "effect"

    key: Mapped[str] = mapped_column(primary_key=True)
    result: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = now_column()
