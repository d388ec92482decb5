"""The note of a run's DagRun in Airflow: who or what started the run."""

from __future__ import annotations

from automations.db.session import Session
from automations.db.tables import Run
from automations.definitions.published import dag_id

_BY = {
    "form_submission": "a form's submission",
    "event": "an event",
    "webhook": "a webhook delivery",
    "error": "the failure of another run",
    "workflow": "another automation",
}
_MAX_NAME = 200


def origin(session: Session, run: Run) -> str:
    """What started it, and by whom: the note of its DagRun."""
    source = _BY.get(run.trigger_type)
    starter = f" by {_plain(run.started_by)}" if run.started_by else ""
    note = f"Started through {source}{starter}" if source else f"Started{starter}"
    if run.event_id is not None:
        note += f" (event {run.event_id})"
    parent = session.get(Run, run.parent_run_id) if run.parent_run_id else None
    if parent is not None:
        note += f", as a child of run {_run_link(parent)}"
    if run.replay_of_run_id is not None:
        note += f", as a replay of run {run.replay_of_run_id}"
    return f"{note}."


def starter(run: Run) -> str | None:
    """Who, or else what, Airflow is to show as having started it."""
    return run.started_by or _BY.get(run.trigger_type)


def dag_call_note(run: Run) -> str:
    """The note of a DagRun of another DAG that a step of this run has asked for."""
    return f"Started by a step of run {_run_link(run)}."


def strip_origin(note: str | None, own_note: str) -> str | None:
    """What somebody has written beside an act: Airflow's dialogs send the note with what it had.

    Args:
        own_note: the note as it was made here.
    """
    return (note or "").removeprefix(own_note).strip() or None


def _run_link(run: Run) -> str:
    return f"[{run.id}](/dags/{dag_id(run.workflow_id)}/runs/{run.in_airflow})"


def _plain(text: str) -> str:
    words = " ".join(text.split())[:_MAX_NAME]
    return "".join(f"\\{mark}" if mark in "\\`*_[]<>#|" else mark for mark in words)
