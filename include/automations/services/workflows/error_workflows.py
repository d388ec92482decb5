"""Automations that are started when a run of another one has failed."""

from __future__ import annotations

from contextlib import suppress

from pydantic import ValidationError

from automations.db import run_queries, runs, workflows
from automations.db.session import Session
from automations.db.tables import Run, Workflow
from automations.definitions.triggers import error_key
from automations.errors import ValidationFailed
from automations.kit.clock import timestamp
from automations.services.runs.starting import emit
from automations.services.workflows.loaded import load, read
from automations.steps.outcomes import JSON

EVENT_TYPE = "RUN_FAILED"
_FIELD = "errorWorkflowId"


def check(session: Session, workflow: Workflow, error_workflow_id: str | None) -> None:
    """Refuse an error workflow that is not there, or that would be started by its own failures.

    Raises:
        ValidationFailed: the message says what leads back to where.
    """
    chain: dict[str, str] = {}
    following = error_workflow_id
    while following is not None and following not in chain:
        if following == workflow.id:
            names = (workflow.name, *chain.values(), workflow.name)
            way = " → ".join(f"'{name}'" for name in names)
            raise ValidationFailed({_FIELD: [f"would be started by its own failures: {way}"]})
        found = workflows.find(session, workflow.workspace_id, following)
        if found is None:
            if not chain:
                raise ValidationFailed({_FIELD: [f"there is no automation {following}"]})
            return
        chain[following] = found.name
        following = None
        # What an older release took and this one does not, starts nothing.
        with suppress(ValidationError):
            following = read(session, found.id, found.version).error_workflow_id


def report(session: Session, run: Run, failure_id: int) -> None:
    """Put the failure of a run into the inbox, when its automation has an error workflow.

    Args:
        failure_id: tells one failure of a run from the next, after it was retried.
    """
    if run.trigger_type == runs.TEST:
        return
    loaded = load(session, run.workflow_id, run.version)
    target = loaded.definition.error_workflow_id
    if target is None:
        return
    failed = run_queries.failed_step(session, run.id)
    node = loaded.plan.nodes.get(failed.node_id) if failed else None
    data: dict[str, JSON] = {
        "runId": run.id,
        "workflowId": run.workflow_id,
        "workflowName": loaded.definition.name,
        "error": run.error,
        "stepId": node.id if node else None,
        "stepName": node.step.name if node else None,
        "stepType": node.step.type if node else None,
        "failedAt": timestamp(run.completed_at) if run.completed_at else None,
    }
    emit(
        session,
        run.workspace_id,
        kind=EVENT_TYPE,
        trigger_key=error_key(target),
        data=data,
        cause=run.id,
        source=f"run:{run.id}",
        external_id=str(failure_id),
    )
