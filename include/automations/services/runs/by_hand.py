"""Starts runs for a person or an API client."""

from __future__ import annotations

from dataclasses import asdict

from automations.db.runs.new_runs import NewRun
from automations.db.session import unit_of_work
from automations.db.workflows import held_up
from automations.domain import people
from automations.domain.principals import Principal
from automations.domain.runs import RunSummary, StartedRun
from automations.domain.statuses import WorkflowStatus
from automations.errors import Conflict
from automations.kit.values import JSON, from_attributes
from automations.services.audit import audit
from automations.services.runs.starting import start_run
from automations.services.workflows.lookups import require_newest

ARCHIVED = "An archived automation cannot be executed."


def execute(by: Principal, workflow_id: str, input_data: dict[str, JSON]) -> StartedRun:
    """Start a run by hand.

    Raises:
        Conflict: the automation is archived.
        ValidationFailed: the input does not satisfy the trigger's schema.
    """
    with unit_of_work() as session:
        workflow, stored = require_newest(session, by.workspace_id, workflow_id)
        if workflow.status == WorkflowStatus.ARCHIVED:
            raise Conflict(ARCHIVED)
        new = NewRun(
            trigger_type="manual",
            trigger_data={},
            input=input_data,
            started_by=by.name,
            starters=[people.identity_of(by)],
        )
        run = start_run(session, workflow, new, stored)
        if run is None:
            raise Conflict("The run exists already.")
        audit.record(session, "workflow.execute", workflow, name=workflow.name, runId=run.id)
        started = from_attributes(RunSummary, run)
        return StartedRun(**asdict(started), held_up=held_up.get(workflow))
