"""Which automations an event starts, and why it starts none."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from automations.db.tables import Event, Workflow


def listeners(session: Session, event: Event) -> list[Workflow]:
    """The ACTIVE automations that listen to the event."""
    return list(
        session.scalars(
            select(Workflow)
            .where(
                Workflow.workspace_id == event.workspace_id,
                Workflow.trigger_key == event.trigger_key,
                Workflow.status == "ACTIVE",
                Workflow.deleted_at.is_(None),
            )
            .order_by(Workflow.number)
        )
    )


def trigger_type(event: Event) -> str:
    """The type of trigger that an event sets off."""
    return event.trigger_key.partition(":")[0]


def why_nothing(session: Session, event: Event) -> str:
    """Why an event started no run, for people."""
    statuses = session.scalars(
        select(Workflow.status)
        .where(
            Workflow.workspace_id == event.workspace_id,
            Workflow.trigger_key == event.trigger_key,
            Workflow.deleted_at.is_(None),
        )
        .distinct()
    ).all()
    if not statuses:
        return "No automation has a trigger that fits."
    return f"The automations that fit are not ACTIVE: {', '.join(sorted(statuses))}."
