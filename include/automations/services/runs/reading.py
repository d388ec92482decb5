"""Runs as clients read them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from automations.db.runs import run_counts, run_queries
from automations.db.session import reading
from automations.domain.runs import RunDetail, RunFilter, RunSummary
from automations.domain.statuses import SETTLED, UNFINISHED, RunStatus, SlotStatus
from automations.errors import NotFound, Unreadable
from automations.kit import cursors
from automations.services.workflows.definitions import load
from automations.services.workflows.lookups import require_any

MAX_EXPORTED = 500
"""The specification's number of runs in one file."""


def page(
    workspace_id: str, workflow_id: str, criteria: RunFilter, number: int, size: int
) -> tuple[Sequence[RunSummary], int]:
    """One page of an automation's runs, newest first, and how many there are."""
    with reading() as session:
        page_runs = run_queries.page(
            session, workspace_id, workflow_id, criteria, (number - 1) * size, size
        )
        if not page_runs:
            require_any(session, workspace_id, workflow_id)
        if criteria.since or criteria.until or criteria.trigger_type:
            return page_runs, run_queries.count(session, workflow_id, criteria)
        numbers = run_counts.by_status(session, workspace_id, workflow_id)
        total = (
            sum(numbers.values()) if criteria.status is None else numbers.get(criteria.status, 0)
        )
        return page_runs, total


def page_after(
    workspace_id: str, workflow_id: str, criteria: RunFilter, cursor: str | None, size: int
) -> tuple[Sequence[RunSummary], str | None]:
    """The runs after a cursor, newest first, and the next cursor."""
    after = cursors.decode(cursor) if cursor else None
    with reading() as session:
        require_any(session, workspace_id, workflow_id)
        page_runs = run_queries.page_after(session, workflow_id, criteria, after, size + 1)
    return cursors.page(page_runs, size, lambda run: (run.started_at, run.id))


@dataclass(frozen=True, slots=True)
class Export:
    """What an export holds; the runs are read while it is written."""

    workflow_id: str
    workflow_name: str
    run_ids: Sequence[str]
    following: str | None = None


def export(
    workspace_id: str, workflow_id: str, run_id: str | None, cursor: str | None = None
) -> Export:
    """The newest runs of an automation after a cursor, or one run, to be exported.

    Raises:
        NotFound: there is no such automation or run.
    """
    if run_id is None:
        page_runs, following = page_after(
            workspace_id, workflow_id, RunFilter(), cursor, MAX_EXPORTED
        )
    with reading() as session:
        workflow = require_any(session, workspace_id, workflow_id)
        if run_id is None:
            return Export(workflow.id, workflow.name, [run.id for run in page_runs], following)
        if run_queries.find(session, workflow_id, run_id) is None:
            raise NotFound(f"There is no run {run_id}.")
        return Export(workflow.id, workflow.name, [run_id])


def detail(workspace_id: str, workflow_id: str, run_id: str) -> RunDetail:
    """One run with its steps, logs and what it waits for.

    Raises:
        NotFound: there is no such automation or run.
    """
    with reading() as session:
        record = run_queries.find_record(session, workspace_id, workflow_id, run_id)
        if record is None:
            require_any(session, workspace_id, workflow_id)
            raise NotFound(f"There is no run {run_id}.")
        status = record.run.status
        settled = {step.node_id for step in record.steps if step.status in SETTLED}
        pending: Sequence[str] = ()
        if status != RunStatus.COMPLETED:
            with suppress(Unreadable):  # by this release; what the run has done is shown
                pending = load(session, workflow_id, record.version).plan.pending(settled)
        held_up = record.held_up if status in UNFINISHED else None
        return RunDetail(
            run=record.run,
            version=record.version,
            trigger_type=record.trigger_type,
            queued=status == RunStatus.RUNNING
            and (record.slot == SlotStatus.WAITING or (held_up is not None and not record.steps)),
            started_by=record.started_by,
            variables=record.variables,
            model_tokens=record.model_tokens,
            model_cost=record.model_cost,
            workflow_name=record.workflow_name,
            steps=record.steps,
            logs=record.logs,
            pending=pending,
            children=record.children,
            pause=record.pause,
            held_up=held_up,
        )
