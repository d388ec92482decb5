"""Turns errors in a step into failures, which are values."""

from __future__ import annotations

from functools import partial

from automations.errors import AutomationsError, DatabaseRefused, StepError
from automations.kit.storable import MAX_DEPTH, fields_kept, sanitize, storable
from automations.steps.outcomes import Fail, Outcome

INTERNAL = "internal"
"""The kind of a failure that is a bug of ours."""


_MAX_DEPTH = 2 * MAX_DEPTH
"""Of what steps put out: loops and their like put around what others have read."""


def recordable(outcome: Outcome, where: str) -> Outcome:
    """An outcome as it can be recorded, or else a failure: what is done may not be done again.

    What a step puts out is data, and kept as it is or not at all; what it fails with is told to
    people, as near as can be.

    Args:
        where: the step, for people.
    """
    convert = sanitize if isinstance(outcome, Fail) else storable
    try:
        return fields_kept(outcome, partial(convert, max_depth=_MAX_DEPTH))
    except ValueError as error:
        return Fail(f"{where}: what it puts out {error}", kind="output")


def failure(error: Exception, where: str) -> Fail:
    """How a step fails by an error.

    Args:
        where: the step, for people.
    """
    match error:
        case StepError():
            return Fail(error.message, error.kind, error.retryable, error.retry_after)
        case DatabaseRefused():
            return Fail(f"{where}: {error.message}", kind=INTERNAL)
        case AutomationsError():
            return Fail(error.message)
        case _:
            return Fail(f"{where}: {type(error).__name__}: {error}", kind=INTERNAL)
