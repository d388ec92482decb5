"""Counts how often a step's process was killed, which does not use up the step's attempts."""

from __future__ import annotations

from automations.db.runs import run_steps
from automations.db.session import Session
from automations.db.tables import Run, RunStep
from automations.execution.entered import Entered
from automations.execution.recording import Recorder, line_of
from automations.execution.verdicts import Verdict
from automations.kit import common_clock
from automations.steps.outcomes import Fail

MAX_DEATHS = 4
"""By then the step either exhausts the machine's memory, or somebody keeps killing it."""

KILLED = "killed"
"""The kind of a failure that is the death of a process."""


def count(session: Session, entered: Entered, run: Run, row: RunStep, died: int) -> Verdict | None:
    """Record the deaths since the step was last begun.

    Returns:
        the step's failure if there were too many; None if it may begin again.
    """
    row.deaths += died
    row.unseen_deaths = 0
    is_over = row.deaths >= MAX_DEATHS
    # Every death is followed by a retry, except the last one.
    row.retries += died - is_over
    outcome = Fail(_describe(row.deaths), kind=KILLED, retryable=False)
    for number in range(died):
        is_last = is_over and number == died - 1
        line = line_of(entered.step, outcome, common_clock.now(), retrying=not is_last)
        run_steps.log(session, entered.ref.run_id, [line])
    return Recorder(session, entered, run, row).record(outcome) if is_over else None


def _describe(deaths: int) -> str:
    times = "once" if deaths == 1 else f"{deaths} times"
    return (
        f"its process was killed {times}, as it is when the machine runs out of memory "
        "or somebody kills it."
    )
