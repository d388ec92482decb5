"""Reads and validates the JSON body of a route, in a thread, once."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Protocol

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from api_bridge.bodies import json_of
from api_bridge.server.threads import in_thread
from automations.definitions.field_errors import MAX_FAULTS, too_many_message
from automations.errors import ValidationFailed
from automations.kit.json_text import is_json


class BodyField(Protocol):
    """The model of the JSON that a route takes."""

    field_info: FieldInfo


class Declared:
    """The JSON that a route takes, read and checked.

    FastAPI's own check makes an object of each fault that a body has, however many these are.
    """

    def __init__(self, field: BodyField) -> None:
        self._info = field.field_info

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        # When it is needed: all of them together would have the bridge start later.
        declared: Any = Annotated[self._info.annotation, self._info]
        return TypeAdapter(declared)

    def validate(self, body: bytes, content_type: str) -> Any:
        """The value as the endpoint gets it.

        Raises:
            ValidationFailed, RequestValidationError: it is not what is declared.
        """
        value = json_of(body, content_type)
        if value is None:
            # Whether that may be is for the endpoint's own declaration to say.
            return None
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            if error.error_count() > MAX_FAULTS:
                raise ValidationFailed({"body": [too_many_message(error)]}) from error
            raise RequestValidationError(error.errors(include_url=False)) from error


class ParsedRequest(Request):
    """A request whose JSON was read before."""

    async def json(self) -> Any:
        """The body as ``read`` has left it."""
        return self.state.parsed_body


async def read(request: Request, declared: Declared) -> None:
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
    request.state.parsed_body = await in_thread(declared.validate, body, content_type)
