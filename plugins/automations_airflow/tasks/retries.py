"""Turns a failed try into Airflow's retry; the engine decides whether and when.

Airflow counts one number of tries of a task. Of ours there are three kinds: attempts of the step,
which the engine counts; deaths of its process, which it counts, too, and is told of; and tries in
which it was not reached, or could not reach its database. So Airflow is given room for all of
them, and what begins again with a new scheduler adds to it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

from automations.execution.deaths import MAX_DEATHS
from automations.execution.verdicts import Retry

DEATHS = "AUTOMATIONS_DEATHS"
"""The variable by which a task's process is told how many of its predecessors were killed."""

FAILED_BEFORE = "AUTOMATIONS_FAILED_BEFORE"
"""The variable by which a task's process is told of the attempt that its worker has made."""

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


@contextmanager
def reporting(failed: Retry) -> Iterator[None]:
    """Have a process that is forked in the block be told that this try is over."""
    failure = {"error": failed.error, "delay": failed.delay.total_seconds()}
    os.environ[FAILED_BEFORE] = json.dumps(failure)
    try:
        yield
    finally:
        del os.environ[FAILED_BEFORE]


def reported_failure() -> AttemptFailed | None:
    """How the attempt of this try has failed, where it was made before this process began.

    By the record alone a delay that is over by now would have the next attempt made in this try.
    """
    value = os.environ.get(FAILED_BEFORE)
    if value is None:
        return None
    failed = json.loads(value)
    return AttemptFailed(failed["error"], timedelta(seconds=failed["delay"]))


def reported_deaths() -> int:
    """How many processes of this task were killed since it was last begun."""
    return int(os.environ.get(DEATHS, "0"))
