"""What tests do in the place of waiting until a step may be attempted again."""

from __future__ import annotations

from datetime import UTC, datetime

from automations.db.runs import run_steps
from automations.db.session import unit_of_work
from automations.db.tables import Run


def let_pass(run: Run, node: str = "step") -> None:
    """Have the delay be over after which a node is attempted again."""
    with unit_of_work() as session:
        row = run_steps.step(session, run.id, node)
        assert row is not None
        assert row.retry_at is not None
        row.retry_at = datetime.now(UTC)
