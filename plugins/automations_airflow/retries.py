"""How a failed try becomes Airflow's retry: the engine decides whether and when.

Airflow counts one number of tries of a task. Of ours there are three kinds: attempts of the step,
which the engine counts; deaths of its process, which it counts, too, and is told of; and tries in
which it was not reached, or could not reach its database. So Airflow is given room for all of
them, and what begins anew with a new scheduler adds to it.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

from automations.execution.deaths import MAX_DEATHS

DEATHS = "AUTOMATIONS_DEATHS"
"""The variable by which a task's process is told how many of its predecessors were killed."""

DEATH_DELAY = timedelta(seconds=2)
"""What has killed it, such as a lack of memory, may be over then."""

MAX_OUTAGES = 20
"""Tries that end because a database is away: some eight minutes."""

MAX_OUTAGE_DELAY = timedelta(seconds=30)
"""So late is noticed at most that the database is back."""


class TaskEnd(SystemExit):
    """Ends a task that has not succeeded, through no fault of our code's.

    Of every exception but this one Airflow logs the way that it took, which is the same for each
    step and says nothing of it; of this one its text alone.
    """


class StepFailed(TaskEnd):
    """The step has failed for good."""


class AttemptFailed(TaskEnd):
    """An attempt failed and the step is tried again after the delay."""

    def __init__(self, error: str, delay: timedelta) -> None:
        super().__init__(error)
        self.delay = delay


class DatabaseAway(TaskEnd):
    """A database of ours could not be reached, so that the step was not done, or not recorded."""


class StepRetryPolicy(RetryPolicy):
    """Retries a failed attempt after exactly the engine's delay; waits for a database to return."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        if isinstance(exception, AttemptFailed):
            return RetryDecision.retry(exception.delay, str(exception))
        if isinstance(exception, StepFailed):
            return RetryDecision.fail()
        if isinstance(exception, DatabaseAway):
            delay = min(MAX_OUTAGE_DELAY, DEATH_DELAY * 2 ** min(try_number - 1, 10))
            return RetryDecision.retry(delay, "A database is away.")
        # A bug of ours, or of Airflow's: to meet it as often as an outage would not mend it.
        if try_number > max_tries - MAX_OUTAGES:
            return RetryDecision.fail(type(exception).__name__)
        return RetryDecision.default()


def max_retries(attempts: int) -> int:
    """How often Airflow may try a task again whose step may be attempted so often."""
    return attempts - 1 + MAX_DEATHS + MAX_OUTAGES


def told_deaths() -> int:
    """How many processes of this task were killed since it was last begun."""
    return int(os.environ.get(DEATHS, "0"))
