"""Reports mails that could not be delivered after their step had ended; the run goes on."""

from __future__ import annotations

from collections.abc import Sequence

from automations.db.runs import run_steps
from automations.db.session import Session
from automations.db.tables import Run
from automations.execution.recording import line_of
from automations.kit import common_clock
from automations.services.workflows.definitions import load
from automations.steps.outcomes import Fail


def log(session: Session, run_id: str, key: str, to: Sequence[str], error: str) -> None:
    """Say in a run's log who was not reached.

    Args:
        key: of the step, which begins by the run and the node.
    """
    run = session.get_one(Run, run_id)
    node = key.removeprefix(f"{run_id}:").partition(":")[0]
    plan_node = load(session, run.workflow_id, run.version).plan.nodes.get(node)
    if plan_node is None:  # the run goes on with a version that has no such step
        return
    message = f"The mail to {', '.join(to)} could not be delivered: {error}"
    outcome = Fail(message, kind="mail", retryable=False)
    line = line_of(plan_node.step, outcome, common_clock.now(), retrying=False)
    run_steps.log(session, run_id, [line])
