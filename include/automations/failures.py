"""What went wrong in a step, as a value."""

from __future__ import annotations

from pydantic import ValidationError

from automations.errors import AutomationsError, StepError
from automations.outcomes import Fail

INTERNAL = "internal"
"""The kind of a failure that is a bug of ours."""


def failure(error: Exception, where: str) -> Fail:
    """How a step fails by an error.

    Args:
        where: the step, for people.
    """
    match error:
        case ValidationError():
            first = error.errors(include_url=False)[0]
            path = ".".join(str(part) for part in first["loc"])
            return Fail(f"{where}, config.{path}: {first['msg']}", kind="config")
        case StepError():
            return Fail(error.message, error.kind, error.retryable, error.retry_after)
        case AutomationsError():
            return Fail(error.message)
        case _:
            return Fail(f"{where}: {type(error).__name__}: {error}", kind=INTERNAL)
