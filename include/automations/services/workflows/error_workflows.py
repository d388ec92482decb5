"""Automations that are started when a run of another one fails."""

from __future__ import annotations

from contextlib import suppress

from automations.db.session import Session
from automations.db.workflows import workflows
from automations.domain.workflows import WorkflowDetail
from automations.errors import Unreadable, ValidationFailed
from automations.services.workflows.definitions import read

_FIELD = "errorWorkflowId"


def check(session: Session, workflow: WorkflowDetail, error_workflow_id: str | None) -> None:
    """Check that an error workflow is there, and is not started by its own failures.

    Raises:
        ValidationFailed: the message says what leads back to where.
    """
    chain: dict[str, str] = {}
    following = error_workflow_id
    while following is not None and following not in chain:
        if following == workflow.id:
            names = (workflow.name, *chain.values(), workflow.name)
            path = " → ".join(f"'{name}'" for name in names)
            raise ValidationFailed({_FIELD: [f"would be started by its own failures: {path}"]})
        next_workflow = workflows.find(session, workflow.workspace_id, following)
        if next_workflow is None:
            if not chain:
                raise ValidationFailed({_FIELD: [f"there is no automation {following}"]})
            return
        chain[following] = next_workflow.name
        following = None
        # What an older release took and this one does not, starts nothing.
        with suppress(Unreadable):
            following = read(session, next_workflow.id, next_workflow.version).error_workflow_id
