"""Records that a task's process was killed, if no executor tells the next process."""

from __future__ import annotations

from automations.db.runs import run_steps
from automations.db.session import unit_of_work


def note(run_id: str) -> None:
    """Count one more death for the step that a run was in; none when it had begun none."""
    with unit_of_work() as session:
        run_steps.note_death(session, run_id)
