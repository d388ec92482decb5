"""Runs as execute leaves them, and what is recorded of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from automations.db.runs import new_runs, run_steps
from automations.db.session import unit_of_work
from automations.db.tables import Run, RunStep, StepLog, Wait, WorkflowVersion
from automations.execution.verdicts import TaskRef
from automations.services.runs.template_names import first_variables
from automations.services.workflows import definitions
from tests.db import workflows

MAIL = {"to": "ada@b.example", "subject": "Hi", "body": "{{input.text}}"}


def begin(*steps: dict[str, Any], text: str = "hello", **more: Any) -> Run:
    """A run of an automation with these steps, as execute leaves it."""
    definition = {"name": "Test", "steps": list(steps), "variables": {"limit": 5}, **more}
    with unit_of_work() as session:
        workflow = workflows.insert(session, definition)
        run = new_runs.insert_run(
            session,
            workflow,
            new_runs.NewRun(
                trigger_type="manual",
                trigger_data={},
                input={"text": text},
                started_by="test",
                variables=first_variables(definition, "manual", {}),
            ),
        )
        assert run is not None
        return run


def forget_how_to_read(run: Run) -> None:
    """Have the run's version as an earlier release has stored it, that this one does not take."""
    with unit_of_work() as session:
        session.execute(
            update(WorkflowVersion)
            .where(WorkflowVersion.workflow_id == run.workflow_id)
            .values(definition={"name": "Test", "steps": "of an earlier release"})
        )
    definitions.forget()


def step(name: str, kind: str, order: int, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "type": kind, "order": order, "config": config, **more}


def task(run: Run, node: str, generation: int = 0) -> TaskRef:
    return TaskRef(run.id, run.workflow_id, 1, node, generation)


def reload(run: Run) -> Run:
    with unit_of_work() as session:
        return session.get_one(Run, run.id)


def row(run: Run, node: str) -> RunStep | None:
    with unit_of_work() as session:
        return run_steps.step(session, run.id, node)


def logs(run: Run) -> list[StepLog]:
    with unit_of_work() as session:
        query = select(StepLog).where(StepLog.run_id == run.id).order_by(StepLog.id)
        return list(session.scalars(query))


def open_wait(run: Run) -> Wait:
    with unit_of_work() as session:
        query = select(Wait).where(Wait.run_id == run.id, Wait.status == "OPEN")
        return session.scalars(query).one()


def approval(**config: Any) -> dict[str, Any]:
    return step("ask", "approval", 0, {"message": "OK?", "approvers": ["b@c.example"], **config})
