"""Runs that are started by runs."""

from __future__ import annotations

from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Job, Run
from automations.dispatch.jobs.registry import Handlers
from tests.db import workflows
from tests.db.runs import step
from tests.doubles import ports


def other(workspace_id: str, status: str = "ACTIVE") -> str:
    """An automation beside the one that runs, with one light step."""
    check = {"rules": [{"field": "{{input.n}}", "operator": "gt", "value": 0}]}
    definition = {"name": "Child", "steps": [step("check", "condition", 0, check)]}
    return workflows.inserted(definition, workspace_id=workspace_id, status=status)


def child_of(run: Run) -> Run:
    with unit_of_work() as session:
        return session.scalars(select(Run).where(Run.parent_run_id == run.id)).one()


def dispatch() -> None:
    """Handle what a child's end has left to be done."""
    handlers = Handlers(ports(), ports())  # type: ignore[arg-type]  # no Airflow here
    with unit_of_work() as session:
        todo = session.scalars(select(Job).where(Job.kind == "wake_parent")).all()
    for job in todo:
        handlers.handle(job)
