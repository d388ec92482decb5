"""Runs as the console shows them: across automations, and one with its whole story."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from automations.db.runs import run_lists
from automations.db.session import reading
from automations.db.tables import Run
from automations.db.workflows import versions, workflows
from automations.domain.runs import ListedRun, RunFilter, RunStory
from automations.errors import NotFound
from automations.kit import cursors
from automations.services.runs.reading import detail

_MAX_PAUSES = 500
"""A loop's steps may have waited a thousand times: more of them nobody reads."""


def page_after(
    workspace_id: str,
    workflow_id: str | None,
    criteria: RunFilter,
    cursor: str | None,
    size: int,
) -> tuple[Sequence[ListedRun], str | None]:
    """The runs after a cursor, newest first, and the next cursor.

    Args:
        workflow_id: None for those of all automations.
    """
    after = cursors.decode(cursor) if cursor else None
    with reading() as session:
        listed = run_lists.list_page(session, workspace_id, workflow_id, criteria, after, size + 1)
    return cursors.page(listed, size, lambda item: (item.run.started_at, item.run.id))


def automation_of(workspace_id: str, run_id: str) -> str:
    """The id of the automation that a run is of.

    Raises:
        NotFound: there is no such run.
    """
    with reading() as session:
        run = run_lists.find(session, workspace_id, run_id)
        return _require(run, run_id).workflow_id


def automation_name(workspace_id: str, run_id: str | None) -> str | None:
    """The name of the automation that a run is of; None where the run is not kept any more."""
    if run_id is None:
        return None
    with reading() as session:
        run = run_lists.find(session, workspace_id, run_id)
        if run is None:
            return None
        return workflows.names(session, workspace_id).get(run.workflow_id, run.workflow_id)


def story(workspace_id: str, run_id: str) -> RunStory:
    """One run with its steps, what it was given, what led to it, and when it waited for what.

    Raises:
        NotFound: there is no such run.
    """
    with reading() as session:
        run = _require(run_lists.find(session, workspace_id, run_id), run_id)
        parent = run.parent_run_id
        return RunStory(
            detail=detail(workspace_id, run.workflow_id, run_id),
            given=run.input,
            trigger_data=run.trigger_data,
            parent=run_lists.summary(session, parent) if parent else None,
            event_id=run.event_id,
            times=run_lists.times(session, run_id),
            pauses=run_lists.pauses(session, run_id, _MAX_PAUSES),
            votes=run_lists.votes(session, run_id, _MAX_PAUSES),
            definition=versions.definition(session, run.workflow_id, run.version) or {},
        )


def stamps(run_ids: Collection[str]) -> Mapping[str, str]:
    """What changes whenever something of a run does, by the ids of runs."""
    with reading() as session:
        return run_lists.stamps(session, run_ids)


def _require(run: Run | None, run_id: str) -> Run:
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    return run
