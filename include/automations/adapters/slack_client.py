"""Slack's SDK, reading no more of an answer than there should be; loaded when it is needed."""

from __future__ import annotations

import io
import time
from http.client import HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from slack_sdk import WebClient

from automations.errors import StepError

_MAX_BYTES = 1_000_000
"""An answer is read into memory as a whole."""
_PIECE = 65_536


class BoundedClient(WebClient):
    """A client whose answers have an end, in time and size; tries nothing twice."""

    def __init__(self, token: str, *, base_url: str, seconds: float) -> None:
        # The step's own policy decides about another attempt.
        super().__init__(
            token, base_url=base_url, timeout=max(1, round(seconds)), retry_handlers=[]
        )
        self._seconds = seconds

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        deadline = time.monotonic() + self._seconds
        try:
            # The address is that of the settings, with one of the API's methods.
            with urlopen(req, context=self.ssl, timeout=self._seconds) as answer:  # noqa: S310
                body = _read(answer, deadline)
                charset = answer.headers.get_content_charset() or "utf-8"
                headers = dict(answer.headers.items())
                return {"status": answer.code, "headers": headers, "body": body.decode(charset)}
        except HTTPError as error:
            with error:
                body = _read(error, deadline)
            # The SDK reads on.
            raise HTTPError(url, error.code, error.msg, error.headers, io.BytesIO(body)) from None


def _read(answer: HTTPResponse | HTTPError, deadline: float) -> bytes:
    content = b""
    while (
        piece := answer.read1(_PIECE) if isinstance(answer, HTTPResponse) else answer.read(_PIECE)
    ):
        content += piece
        if len(content) > _MAX_BYTES:
            raise StepError(f"Slack's answer has more than {_MAX_BYTES} bytes.", kind="too_large")
        if time.monotonic() > deadline:
            raise TimeoutError
    return content
