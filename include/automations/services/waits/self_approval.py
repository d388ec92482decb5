"""Who may decide on a run."""

from __future__ import annotations

from automations.db.tables import Run, Wait


def forbids_self_approval(run: Run, wait: Wait, by: str) -> bool:
    """Whether a decision by the one who started the run is not allowed."""
    banned = not (wait.question or {}).get("allow_self_approval", True)
    starter = run.started_by
    return banned and starter is not None and starter.casefold() == by.casefold()
