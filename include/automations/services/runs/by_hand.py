"""Runs that a person or a client starts."""

from __future__ import annotations

from automations.db import versions
from automations.db.runs import NewRun
from automations.db.session import unit_of_work
from automations.db.tables import Run
from automations.domain.statuses import WorkflowStatus
from automations.errors import Conflict
from automations.kit.values import JSON
from automations.services.audit import audit
from automations.services.runs.starting import start_run
from automations.services.workflows import payloads, workflows


def execute(workspace_id: str, workflow_id: str, given: dict[str, JSON], by: str) -> Run:
    """Start a run by hand.

    Raises:
        Conflict: the automation is archived.
        ValidationFailed: the input does not satisfy the trigger's schema.
    """
    with unit_of_work() as session:
        workflow = workflows.require(session, workspace_id, workflow_id)
        if workflow.status == WorkflowStatus.ARCHIVED:
            raise Conflict("An archived automation cannot be executed.")
        stored = versions.definition(session, workflow.id, workflow.version) or {}
        payloads.check_input(stored, given)
        new = NewRun(trigger_type="manual", trigger_data={}, input=given, started_by=by)
        run = start_run(session, workflow, new, stored)
        if run is None:
            raise Conflict("The run exists already.")
        audit.record(session, "workflow.execute", workflow, name=workflow.name, runId=run.id)
        return run
