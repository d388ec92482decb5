"""The JSON that a route declares: read and checked in a thread, once."""

from __future__ import annotations

from typing import Any, Protocol

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError

from api_bridge.bodies import json_of
from api_bridge.threads import in_thread
from automations.kit.json_text import is_json


class BodyField(Protocol):
    """The model of the JSON that a route takes."""

    def validate(
        self, value: Any, values: dict[str, Any], *, loc: tuple[int | str, ...]
    ) -> tuple[Any, list[Any]]:
        """The value as the endpoint gets it, and what is wrong with it."""
        ...


class ParsedRequest(Request):
    """A request whose JSON was read before."""

    async def json(self) -> Any:
        """The body as ``read`` has left it."""
        return self.state.parsed_body


async def read(request: Request, field: BodyField) -> None:
    """Read and check the body that an endpoint declares.

    Raises:
        HTTPException: 415, it is not JSON.
        ValidationFailed, RequestValidationError: it is not what is declared.
    """
    body = await request.body()
    if not body:
        return
    content_type = request.headers.get("content-type", "")
    if not is_json(content_type):
        raise HTTPException(415, "Send application/json, and say so in Content-Type.")
    # Some milliseconds for each 100 kB, in which the event loop serves others.
    request.state.parsed_body = await in_thread(_checked, field, body, content_type)


def _checked(field: BodyField, body: bytes, content_type: str) -> Any:
    value = json_of(body, content_type)
    if value is None:
        # Whether that may be is for the endpoint's own declaration to say.
        return None
    checked, errors = field.validate(value, {}, loc=("body",))
    if errors:
        raise RequestValidationError(errors)
    return checked
