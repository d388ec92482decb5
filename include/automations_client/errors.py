"""What can go wrong.

* ClientError
  + Unreachable                 no answer came, also when tried again
  + WaitTimeout                 a run was not what was waited for in time
  + ApiError                    the API has refused
    - ValidationFailed          400, ``field_errors`` names the fields
    - NotAuthenticated          401
    - NotAllowed                403
    - NotFound                  404
    - Conflict                  409
    - RuleBroken                422
    - RateLimited               429, ``retry_after`` says when again
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from automations_client.shapes import RunDetail


class ClientError(Exception):
    """What was asked for did not come about."""


class Unreachable(ClientError):
    """The API gave no answer."""


class WaitTimeout(ClientError, TimeoutError):
    """A run was not what was waited for in time.

    Args:
        run: the run as it was seen last.
    """

    def __init__(self, run: RunDetail, seconds: float) -> None:
        super().__init__(f"Run {run['id']} is {run['status']} after {seconds:g} s.")
        self.run = run


class ApiError(ClientError):
    """The API has refused.

    Args:
        status: the HTTP status.
        code: for programs, such as ``NOT_FOUND``; empty when something else than the API answered.
        message: for people.
        details: what else the API says, by ``code``.
        request_id: what the request is called in the API's logs.
        retry_after: after how many seconds it may be tried again, if that was said.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Mapping[str, Any],
        request_id: str | None,
        retry_after: float | None,
    ) -> None:
        super().__init__(f"{message} ({status}{code and f' {code}'})")
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.request_id = request_id
        self.retry_after = retry_after

    @property
    def field_errors(self) -> dict[str, list[str]]:
        """What is wrong with which field of the payload."""
        errors = self.details.get("fieldErrors")
        return errors if isinstance(errors, dict) else {}


class ValidationFailed(ApiError):
    """The payload is invalid."""


class NotAuthenticated(ApiError):
    """The API key is not valid."""


class NotAllowed(ApiError):
    """The role or the scopes of the API key do not allow that."""


class NotFound(ApiError):
    """There is no such thing in this workspace."""


class Conflict(ApiError):
    """The current state does not allow that."""


class RuleBroken(ApiError):
    """The data breaks a rule."""


class RateLimited(ApiError):
    """Too many requests."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: ValidationFailed,
    401: NotAuthenticated,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    422: RuleBroken,
    429: RateLimited,
}


def json_of(answer: httpx.Response) -> Any:
    """The body of an answer.

    Raises:
        Unreachable: it is no JSON, so that something else than the API has answered.
    """
    try:
        return answer.json()
    except ValueError as error:
        where = f"{answer.request.method} {answer.request.url}"
        raise Unreachable(f"{where}: what has come is no JSON, and no answer of the API") from error


def api_error(answer: httpx.Response, retry_after: float | None) -> ApiError:
    """An answer that is no success, as an exception."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    # A proxy before the API answers in a form of its own.
    problem: Mapping[str, Any] = body if isinstance(body, dict) else {}
    details = problem.get("details")
    return _BY_STATUS.get(answer.status_code, ApiError)(
        answer.status_code,
        str(problem.get("code") or ""),
        str(problem.get("error") or answer.reason_phrase or "The request was refused."),
        details if isinstance(details, dict) else {},
        problem.get("requestId") or answer.headers.get("x-request-id"),
        retry_after,
    )
