"""Automations that listen, and what the dispatcher matches to them."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Event, Job, Workflow, WorkflowVersion
from automations.definitions.triggers import Trigger
from automations.dispatch.jobs.registry import Handlers

TRIGGER: TypeAdapter[Any] = TypeAdapter(Trigger)


def automation(here: str, trigger: dict[str, Any], status: str = "ACTIVE") -> str:
    with unit_of_work() as session:
        made = Workflow(
            workspace_id=here,
            name="Test",
            status=status,
            version=1,
            trigger_key=TRIGGER.validate_python({"type": "event", **trigger}).key(),
        )
        session.add(made)
        session.flush()
        number = len(list(session.scalars(select(WorkflowVersion.id))))
        session.add(
            WorkflowVersion(
                workflow_id=made.id,
                version=1,
                revision=number + 1,
                status=status,
                definition={"name": "Test", "steps": []},
            )
        )
        return made.id


def matched(event_id: str, handlers: Handlers) -> Event:
    with unit_of_work() as session:
        job = session.scalars(
            select(Job).where(Job.kind == "match_event", Job.subject_id == event_id)
        ).one()
    handlers.handle(job)
    with unit_of_work() as session:
        return session.get_one(Event, event_id)
