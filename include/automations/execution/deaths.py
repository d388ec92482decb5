"""Counts how often the process of a step was killed, which is no attempt of the step's."""

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
"""A step whose process was killed so often takes its machine's memory, or somebody kills it."""

KILLED = "killed"
"""The kind of a failure that is the death of a process."""


def count(session: Session, entered: Entered, run: Run, row: RunStep, died: int) -> Verdict | None:
    """Note the deaths that were seen since the step was last begun.

    Returns:
        how the step fails when there were too many of them; None when it is begun again.
    """
    row.deaths += died
    row.unseen_deaths = 0
    is_over = row.deaths >= MAX_DEATHS
    # Each begins the step again but the one after which it is not.
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
