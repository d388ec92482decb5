"""A run that is rolled back, which warms a process up before it is forked."""

from __future__ import annotations

from automations.db.session import undone, unit_of_work
from automations.db.tables import Workspace
from automations.db.workflows.publications import SqlPublications
from automations.domain.principals import Principal
from automations.domain.statuses import WorkflowStatus
from automations.execution.engine import Engine
from automations.execution.verdicts import TaskRef, Verdict
from automations.kit.ids import new_id
from automations.ports import Ports
from automations.services.runs import by_hand
from automations.services.workflows import workflows

_STEP = {"id": "look", "name": "Look", "type": "condition", "order": 0}
_DEFINITION = {
    "name": "Warm-up",
    "status": WorkflowStatus.ACTIVE,
    "steps": [{**_STEP, "config": {"expression": "true"}}],
}


def warm_up(engine: Engine, ports: Ports) -> Verdict:
    """Do a run of one step in a workspace of its own, and undo all of it."""
    with undone():
        with unit_of_work() as session:
            workspace = Workspace(slug=f"warm-up-{new_id()}", name="Warm-up")
            session.add(workspace)
        nobody = Principal(workspace.id, "ADMIN", "warm-up")
        workflow = workflows.create(nobody, _DEFINITION, ports)
        run = by_hand.execute(nobody, workflow.id, {})
        SqlPublications().at(workflow.id, workflow.version)
        return engine.run(TaskRef(run.id, workflow.id, workflow.version, "look"))
