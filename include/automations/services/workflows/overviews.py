"""Automations as the console lists them, with their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from automations.db.runs import run_counts, run_lists
from automations.db.session import reading
from automations.db.workflows import workflows
from automations.domain.overviews import WorkflowOverview
from automations.domain.workflows import WorkflowFilter
from automations.kit import cursors
from automations.services.workflows.workflows import get

RECENT_RUNS = 20
"""Runs of which a list shows how they ended."""


def page_after(
    workspace_id: str, criteria: WorkflowFilter, cursor: str | None, size: int
) -> tuple[Sequence[WorkflowOverview], str | None]:
    """The automations after a cursor, newest first, and the next cursor."""
    after = cursors.decode(cursor) if cursor else None
    with reading() as session:
        listed = workflows.list_all(session, workspace_id, after, size + 1, criteria)
        ids = [workflow.id for workflow in listed[:size]]
        owners = workflows.owners(session, ids)
        recent = run_lists.newest_of_each(session, ids, RECENT_RUNS)
        counts = run_counts.by_workflow(session, workspace_id, ids)
    page, following = cursors.page(
        listed, size, lambda workflow: (workflow.created_at, workflow.id)
    )
    return [
        WorkflowOverview(
            workflow,
            owners.get(workflow.id),
            recent.get(workflow.id, ()),
            counts.get(workflow.id, {}),
        )
        for workflow in page
    ], following


def get_one(workspace_id: str, workflow_id: str) -> WorkflowOverview:
    """One automation with what became of its runs.

    Raises:
        NotFound: there is no such automation.
    """
    with reading() as session:
        return WorkflowOverview(
            get(workspace_id, workflow_id),
            workflows.owners(session, [workflow_id]).get(workflow_id),
            run_lists.newest_of_each(session, [workflow_id], RECENT_RUNS).get(workflow_id, ()),
            run_counts.by_status(session, workspace_id, workflow_id),
        )


def names(workspace_id: str) -> Mapping[str, str]:
    """The names of a workspace's automations, by their ids."""
    with reading() as session:
        return workflows.names(session, workspace_id)
