"""How a failed attempt becomes Airflow's retry: the engine decides whether and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowException

DEATHS = 3
"""Retries beyond the step's own attempts, for workers that were killed."""

DEATH_DELAY = timedelta(seconds=2)


class AttemptFailed(AirflowException):
    """An attempt failed and the step is tried again after the delay."""

    def __init__(self, error: str, delay: timedelta) -> None:
        super().__init__(error)
        self.delay = delay


class StepRetryPolicy(RetryPolicy):
    """Retries a failed attempt after exactly the engine's delay, anything else as a death."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        if isinstance(exception, AttemptFailed):
            return RetryDecision.retry(exception.delay, str(exception))
        return RetryDecision.default()
