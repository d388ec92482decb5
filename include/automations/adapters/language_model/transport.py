"""An HTTP transport that limits the size of answers, and recognises errors sent with status 200."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2

from automations.adapters import tls_contexts
from automations.kit.json_text import parse_json
from automations.kit.storable import MAX_DEPTH


class TooLong(Exception):
    """The answer has more bytes than allowed."""


class NotExact(Exception):
    """The SDK that reads the answer would change a part of its data."""


class _CountedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, max_bytes: int) -> None:
        self._inner = inner
        self._left = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            self._left -= len(part)
            if self._left < 0:
                raise TooLong
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """Ends an answer that is too long, and takes none that is packed.

    Args:
        address: the one to connect to, whatever the host's name leads to.
    """

    def __init__(self, max_bytes: int, address: str | None = None) -> None:
        super().__init__(verify=tls_contexts.of_web(), trust_env=False)
        self._most = max_bytes
        self._address = address

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        if self._address is not None:
            # Certificates are for the name, and the Host header has it already.
            name = request.url.raw_host.decode()
            request.extensions = {**request.extensions, "sni_hostname": name}
            request.url = request.url.copy_with(host=self._address)
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            # Packed, a few bytes can become any number.
            raise TooLong
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _CountedStream(response.stream, self._most)
        if response.status_code == 200 and _JSON in response.headers.get("content-type", ""):
            return _with_true_status(response, await response.aread())
        return response


_JSON = "json"
_REFUSED = 400
_SAYING = ("detail", "message", "msg", "errors")
"""Fields of answers that are none, in which services say why."""
_STATUSES = {"rate_limit_error": 429, "api_error": 500, "overloaded_error": 529}


def _with_true_status(response: httpx2.Response, content: bytes) -> httpx2.Response:
    """The answer under the status that it should have: some servers send errors with 200.

    Raises:
        NotExact: its data are numbers and fields that would come out as others.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict) and body.get("content"):
        # Data stand in it as they are; in those with choices as a text, which we read ourselves.
        try:
            parse_json(content.decode(), MAX_DEPTH)
        except ValueError as error:
            raise NotExact(str(error)) from error
    provider_error = _error_in(body)
    if (
        provider_error is None
        and (first := _first(body)) is not None
        and first.get("finish_reason") == ""
    ):
        # As good as none, which is what the library knows.
        content = json.dumps({**body, "choices": [{**first, "finish_reason": None}]}).encode()
    if provider_error is None:
        return httpx2.Response(response.status_code, headers=response.headers, content=content)
    return httpx2.Response(
        _status(provider_error),
        headers=response.headers,
        content=json.dumps({"error": provider_error}).encode(),
    )


def _first(body: Any) -> dict[str, Any] | None:
    """The first of the answers of a model, of which we ask for one."""
    choices = body.get("choices") if isinstance(body, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _error_in(body: object) -> object:
    """What an answer says to be wrong; None of one that is an answer."""
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        return None
    if (first := _first(body)) is not None:
        # A gateway's, when the provider behind it has failed on the way.
        return first.get("error") or None
    if body.get("choices") or body.get("content"):
        return None
    if error := body.get("error"):
        return error
    is_said = "error" in (body.get("object"), body.get("type"))
    return body if is_said or any(body.get(name) for name in _SAYING) else None


def _status(error: object) -> int:
    if not isinstance(error, Mapping):
        return _REFUSED
    for code in (error.get("code"), error.get("status")):
        if re.fullmatch("[45][0-9]{2}", str(code)):
            return int(str(code))
    return _STATUSES.get(str(error.get("type")), _REFUSED)
