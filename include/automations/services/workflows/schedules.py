"""Schedules: since when one is in force, and its next dates."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from automations.db.session import Session, unit_of_work
from automations.db.tables import Workflow
from automations.db.workflows import versions, workflows
from automations.definitions.model import Definition
from automations.definitions.triggers import ScheduleTrigger
from automations.domain.statuses import WorkflowStatus
from automations.errors import Conflict
from automations.kit import common_clock
from automations.services.workflows.definitions import load
from automations.services.workflows.lookups import require


@dataclass(frozen=True, slots=True)
class Preview:
    """When an automation is due next; ``active`` says whether it will start then."""

    trigger: ScheduleTrigger
    timezone: str
    active: bool
    upcoming: list[datetime]


def in_force_since(session: Session, workflow: Workflow, definition: Definition) -> datetime | None:
    """Since when the schedule of the version about to be written is in force.

    An edit of anything else keeps the instant, so that no due time falls between two versions;
    what came due while the automation was not ACTIVE is never made up for.
    """
    trigger = definition.trigger
    if not isinstance(trigger, ScheduleTrigger) or workflow.status != WorkflowStatus.ACTIVE:
        return None
    last = workflow.version - 1
    since = workflows.scheduled_since(session, workflow.id, last) if last else None
    if since is not None:
        stored = versions.definition(session, workflow.id, last) or {}
        with suppress(ValidationError):  # of one that another release took, nothing stays
            before = ScheduleTrigger.model_validate(stored.get("trigger"))
            if before.schedule(stored.get("timezone")) == trigger.schedule(definition.timezone):
                return since
    return common_clock.now()


def preview(workspace_id: str, workflow_id: str, count: int) -> Preview:
    """The next times at which an automation is due, by the computation that Airflow uses.

    Raises:
        NotFound: there is no such automation.
        Conflict: it has no schedule.
    """
    with unit_of_work() as session:
        workflow = require(session, workspace_id, workflow_id)
        definition = load(session, workflow.id, workflow.version).definition
    trigger = definition.trigger
    if not isinstance(trigger, ScheduleTrigger):
        raise Conflict("The automation has no schedule trigger.")
    schedule = trigger.schedule(definition.timezone)
    upcoming = schedule.upcoming(common_clock.now(), count)
    return Preview(trigger, schedule.timezone, workflow.status == WorkflowStatus.ACTIVE, upcoming)
