"""Translates errors of providers into step errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from pydantic_ai import exceptions

from automations.adapters.language_model.transport import NotExact, TooLong
from automations.errors import StepError
from automations.kit.retry_after import MAX_DELAY

_KINDS: tuple[tuple[type[Exception], str, str, bool], ...] = (
    (exceptions.ModelRateLimitError, "rate_limited", "takes no more requests for a while", True),
    (exceptions.ModelQuotaExceededError, "quota", "says that its quota is used up", False),
    (exceptions.ModelUnavailableError, "unavailable", "is not available", True),
    (exceptions.ModelServerError, "unavailable", "failed", True),
    (exceptions.ModelConnectionError, "connection", "cannot be reached", True),
    (exceptions.ModelAuthenticationError, "auth", "refused the API key", False),
    (exceptions.ModelNotFoundError, "config", "does not know the model", False),
    (exceptions.ModelContextWindowExceededError, "config", "cannot take so long a prompt", False),
    (exceptions.ModelRequestRejectedError, "rejected", "refused the request", False),
    (exceptions.ModelHTTPError, "rejected", "refused the request", False),
    (exceptions.ContentFilterError, "rejected", "refused to answer by its content filter", False),
)


def step_error(error: Exception, provider: str, model: str, timeout: timedelta) -> StepError:
    """The error of a step for an error of a provider, its SDK or the connection."""
    causes = list(_chain(error))
    if any(isinstance(cause, TooLong) for cause in causes):
        return StepError(f"The answer of {provider} is too long or packed.", kind="too_large")
    inexact = next((cause for cause in causes if isinstance(cause, NotExact)), None)
    if inexact is not None:
        return StepError(f"The model's answer {inexact}.", kind="answer", retryable=True)
    if any(isinstance(cause, TimeoutError | exceptions.ModelTimeoutError) for cause in causes):
        seconds = timeout.total_seconds()
        return StepError(
            f"{provider} gave no answer within {seconds:g} s.", kind="timeout", retryable=True
        )
    for category, kind, description, retryable in _KINDS:
        if isinstance(error, category):
            # A refused key is partly repeated in what the provider says.
            detail = "" if kind == "auth" else _message(error)
            return StepError(
                f"{provider} {description} (model {model}){detail}",
                kind=kind,
                retryable=retryable,
                retry_after=_retry_after(error),
            )
    return StepError(
        f"The answer of {provider} cannot be read: {type(error).__name__}.", kind="answer"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


_WORDS = ("error", "message", "detail", "msg", "errors")
"""Where providers say what is wrong, from the outside in."""
_MAX_DEPTH = 4


def _message(error: Exception) -> str:
    message = _words(getattr(error, "body", None), _MAX_DEPTH)
    return f": {message[:500]}" if message else "."


def _words(body: object, levels: int) -> str:
    """What is wrong, in the words of a provider's answer; some give a list of one."""
    if isinstance(body, str):
        return body.strip()
    if levels == 0:
        return ""
    inner: Iterable[object] = ()
    if isinstance(body, Mapping):
        inner = (body[name] for name in _WORDS if name in body)
    elif isinstance(body, list):
        inner = body
    return next(filter(None, (_words(value, levels - 1) for value in inner)), "")


def _retry_after(error: Exception) -> timedelta | None:
    seconds = getattr(error, "retry_after", None)
    if not isinstance(seconds, int | float) or not seconds >= 0:
        return None
    return timedelta(seconds=min(seconds, MAX_DELAY.total_seconds()))
