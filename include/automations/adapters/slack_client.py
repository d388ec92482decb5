"""Slack's SDK over our own HTTP client; imported only when it is needed.

By itself it would follow redirects with the token, use the proxies of the environment, and read
answers without an end.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.request import Request

from slack_sdk import WebClient

from automations.ports import HttpClient, HttpRequest

_MAX_BYTES = 1_000_000
"""An answer is read into memory as a whole."""


class BoundedClient(WebClient):
    """A client whose answers have an end, in time and size; tries nothing twice."""

    def __init__(self, token: str, base_url: str, http: HttpClient, timeout: timedelta) -> None:
        # The step's own policy decides about another attempt.
        super().__init__(token, base_url=base_url, retry_handlers=[])
        self._http = http
        self._time = timeout

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        content = req.data
        answer = self._http.request(
            HttpRequest(
                method=req.get_method(),
                url=url,
                timeout=self._time,
                headers=dict(req.header_items()),
                content=content if isinstance(content, bytes) else None,
                follow_redirects=False,
                max_bytes=_MAX_BYTES,
            )
        )
        headers = dict(answer.headers)
        return {"status": answer.status, "headers": headers, "body": answer.content.decode()}
