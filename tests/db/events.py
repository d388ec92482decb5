"""Automations that listen, and what the dispatcher matches to them."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Event, Job
from automations.definitions.triggers import Trigger
from automations.dispatch.jobs.registry import Handlers
from tests.db import workflows

TRIGGER: TypeAdapter[Any] = TypeAdapter(Trigger)


def automation(here: str, trigger: dict[str, Any], status: str = "ACTIVE") -> str:
    key = TRIGGER.validate_python({"type": "event", **trigger}).key()
    definition: dict[str, Any] = {"name": "Test", "steps": []}
    return workflows.inserted(definition, workspace_id=here, status=status, trigger_key=key)


def matched(event_id: str, handlers: Handlers) -> Event:
    with unit_of_work() as session:
        job = session.scalars(
            select(Job).where(Job.kind == "match_event", Job.subject_id == event_id)
        ).one()
    handlers.handle(job)
    with unit_of_work() as session:
        return session.get_one(Event, event_id)
