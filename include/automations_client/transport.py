"""Requests, and when they are sent again."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias
from urllib.parse import quote

import httpx

from automations_client.errors import ApiError, Unreachable, api_error, json_of
from automations_client.pages import all_linked

Query: TypeAlias = Mapping[str, str | int | datetime | Sequence[str] | None]

_AGAIN = (429, 502, 503, 504)
_FIRST_PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class Content:
    """What goes with a request.

    Args:
        body: is sent as JSON.
        key: the ``Idempotency-Key`` of a POST; a new one when absent.
        text: is sent as it is, instead of the body.
        reads: a POST that changes nothing; its answer need not be kept under a key.
    """

    body: Any = None
    query: Query | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    text: str | None = None
    reads: bool = False


class Transport:
    """Sends a request until it is answered, but not forever."""

    def __init__(self, http: httpx.Client, retries: int, max_pause: float) -> None:
        self._http = http
        self._retries = retries
        self._max_pause = max_pause

    def close(self) -> None:
        self._http.close()

    def json(self, method: str, path: str, body: Any = None, query: Query | None = None) -> Any:
        """The body of the answer; None when there is none."""
        answer = self.send(method, path, Content(body=body, query=query))
        return json_of(answer) if answer.content else None

    def all(self, path: str) -> list[Any]:
        """All of a bare list that comes in pages."""
        return all_linked(lambda query: self.send("GET", path, Content(query=query)))

    def send(self, method: str, path: str, content: Content | None = None) -> httpx.Response:
        """Send a request.

        GET is sent again when no answer comes, when the API is not available or has too much to
        do; so is POST, for it has an ``Idempotency-Key``: the API carries it out once.

        Raises:
            ApiError: the API has refused.
            Unreachable: no answer came.
        """
        content = content or Content()
        sent = dict(content.headers)
        if method == "POST" and not content.reads:
            sent["Idempotency-Key"] = content.key or str(uuid.uuid4())
        request = self._http.build_request(
            method,
            path,
            params=_parameters(content.query or {}),
            headers=sent,
            json=content.body if content.text is None else None,
            content=content.text,
        )
        left = self._retries if method in ("GET", "POST") else 0
        pause = _FIRST_PAUSE
        while True:
            try:
                answer = self._http.send(request)
            except httpx.TransportError as error:
                if left == 0:
                    where = f"{method} {request.url}"
                    raise Unreachable(f"{where}: {error or type(error).__name__}") from error
                wished = None
            else:
                if answer.is_success:
                    _check_type(answer, f"{method} {request.url}")
                    return answer
                wished = _retry_after(answer.headers.get("retry-after"))
                error_answer = api_error(answer, wished)
                if left == 0 or not _passes(error_answer) or (wished or 0) > self._max_pause:
                    raise error_answer
            left -= 1
            # Clients that failed together come back one by one.
            own = min(pause, self._max_pause) * random.uniform(0.5, 1)  # noqa: S311 -- spreads tries
            time.sleep(own if wished is None else wished)
            pause *= 2


def address(*parts: str) -> str:
    """A path of the API; an id cannot lead to another one.

    Raises:
        ValueError: a part is empty or leads up.
    """
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"An id is missing or none: {parts}")
    return "/api/" + "/".join(quote(part, safe="") for part in parts)


def _check_type(answer: httpx.Response, where: str) -> None:
    """Notice a proxy that answers in the API's place, such as with its page to sign in."""
    if answer.headers.get("content-type", "").lower().startswith("text/html"):
        raise Unreachable(f"{where}: a page has come, and no answer of the API")


def _passes(error: ApiError) -> bool:
    if error.code == "PROVIDER_FAILED":
        # The API did its part: an outside service said no, and would hear it twice.
        return False
    return error.status in _AGAIN or error.code == "IN_PROGRESS"


def _parameters(query: Query) -> dict[str, str | int | list[str | int]]:
    parameters: dict[str, str | int | list[str | int]] = {}
    for name, value in query.items():
        if isinstance(value, datetime):
            parameters[name] = value.isoformat()
        elif isinstance(value, str | int):
            parameters[name] = value
        elif value is not None:
            parameters[name] = list(value)
    return parameters


def _retry_after(value: str | None) -> float | None:
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        instant = parsedate_to_datetime(value)
        left = instant.replace(tzinfo=instant.tzinfo or UTC) - datetime.now(UTC)
    except (ValueError, OverflowError):
        return None
    return max(0.0, left.total_seconds())
