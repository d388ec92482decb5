"""What a worker notes of a task whose process was killed, where no executor tells the next one."""

from __future__ import annotations

from automations.db.runs import run_steps
from automations.db.session import unit_of_work


def note(run_id: str) -> None:
    """Count one more death for the step that a run was in; none when it had begun none."""
    with unit_of_work() as session:
        run_steps.note_death(session, run_id)
