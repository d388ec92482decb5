"""Parses CloudEvents 1.0 over HTTP: structured, batched or binary."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, Literal
from urllib.parse import unquote_to_bytes

from fastapi import HTTPException
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from starlette.datastructures import Headers

from api_bridge.bodies import json_of
from api_bridge.instants import Instant
from automations.definitions.field_errors import field_errors
from automations.definitions.triggers import EVENT_TYPE
from automations.errors import ValidationFailed
from automations.kit import json_text
from automations.kit.declared_text import is_text_type, text_of
from automations.kit.form_bodies import charset_of, media_type
from automations.kit.values import JSON
from automations.services.events.events import IncomingEvent

ONE, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
MAX_BATCH = 1_000
"""Events that are taken in one transaction."""
_OF_EVENTS = "application/cloudevents"
_SOURCE = r"^[!-~]+$"
_ESCAPED = re.compile(r"\\(.)")


def _reference(value: Any, check: ValidatorFunctionWrapHandler) -> str:
    return _fitting(value, check, "must be a URI: printable ASCII without blanks, the rest escaped")


def _type(value: Any, check: ValidatorFunctionWrapHandler) -> str:
    return _fitting(value, check, "must have 1 to 200 characters, without blanks among them")


def _fitting(value: Any, check: ValidatorFunctionWrapHandler, message: str) -> str:
    try:
        text: str = check(value)
    except ValidationError as error:
        if isinstance(value, str):
            raise ValueError(message) from error
        raise
    return text


class CloudEvent(BaseModel):
    """A CloudEvent, version 1.0; attributes beyond these are extensions and kept."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    # Both are in one index, whose entries have a limit.
    id: str = Field(min_length=1, max_length=300)
    source: Annotated[
        str, Field(min_length=1, max_length=1_000, pattern=_SOURCE), WrapValidator(_reference)
    ]
    type: Annotated[str, Field(pattern=EVENT_TYPE), WrapValidator(_type)]
    subject: str | None = Field(None, max_length=500)
    time: Instant | None = None
    datacontenttype: str | None = Field(None, max_length=300)
    dataschema: str | None = Field(None, max_length=1_000)
    data: Any = None
    data_base64: str | None = None


_EVENT: TypeAdapter[CloudEvent] = TypeAdapter(CloudEvent)
_EVENTS: TypeAdapter[list[CloudEvent]] = TypeAdapter(
    Annotated[list[CloudEvent], Field(max_length=MAX_BATCH)]
)


def read(headers: Headers, body: bytes) -> list[IncomingEvent]:
    """The events of a request.

    Raises:
        HTTPException: 415, it is in none of the modes.
        ValidationFailed: it is no CloudEvent; the attribute is named.
    """
    content_type = headers.get("content-type", "")
    kind = media_type(content_type)
    if kind == BATCH:
        content = json_of(body, content_type)
        _check(_EVENTS, content)
        return [
            _to_incoming(event, _data(event, f"{index}.")) for index, event in enumerate(content)
        ]
    if kind == ONE:
        content = json_of(body, content_type)
        _check(_EVENT, content)
        return [_to_incoming(content, _data(content))]
    if kind.startswith(_OF_EVENTS) or not any(name.startswith("ce-") for name in headers):
        raise HTTPException(415, f"Send {ONE}, {BATCH}, or any type with the ce- headers.")
    attributes = _attributes(headers)
    if content_type:
        attributes["datacontenttype"] = content_type
    _check(_EVENT, attributes)
    return [_to_incoming(attributes, _content(body, content_type or None))]


def _check(adapter: TypeAdapter[Any], value: JSON) -> None:
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        raise ValidationFailed(field_errors(error, value)) from error


def _attributes(headers: Headers) -> dict[str, JSON]:
    attributes: dict[str, JSON] = {}
    for name, value in headers.items():
        if name.startswith("ce-"):
            attribute = name.removeprefix("ce-")
            if attribute in attributes or attribute in ("data", "data_base64"):
                raise ValidationFailed({attribute: ["is there twice, or is no header's"]})
            attributes[attribute] = _unescape(attribute, value)
    return attributes


def _unescape(attribute: str, value: str) -> str:
    """A header's value; whatever is no ASCII is percent-encoded there."""
    value = value.strip()
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        value = _ESCAPED.sub(r"\1", value[1:-1])
    try:
        text = unquote_to_bytes(value.encode("latin-1")).decode()
    except UnicodeDecodeError as error:
        raise ValidationFailed({attribute: ["is not UTF-8"]}) from error
    if "\0" in text:
        raise ValidationFailed({attribute: ["must not hold a NUL character"]})
    return text


def _data(event: dict[str, JSON], path: str = "") -> dict[str, JSON]:
    """What a step finds of an event in JSON."""
    encoded, data = event.get("data_base64"), event.get("data")
    if encoded is None:
        return _to_step_data(data)
    if data is not None:
        message = "must not come together with data"
        raise ValidationFailed({f"{path}data_base64": [message]})
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValidationFailed({f"{path}data_base64": ["must be base64"]}) from error
    return _content(content, event.get("datacontenttype"), f"{path}data_base64")


def _content(content: bytes, content_type: str | None, path: str = "body") -> dict[str, JSON]:
    """What a step finds of bytes: JSON and texts as such, others in base64.

    Args:
        content_type: None where the sender says nothing, as SDKs do unless they are told to.
    """
    if not content:
        return _to_step_data(None)
    if content_type is not None and json_text.is_json_type(media_type(content_type)):
        try:
            return _to_step_data(
                json_text.parse_json(json_text.decode(content, charset_of(content_type)))
            )
        except ValueError as error:
            raise ValidationFailed({path: [str(error)]}) from error
    if content_type is None or is_text_type(content_type):
        try:
            text = text_of(content, content_type or "")
        except ValueError:
            text = "\0"
        if "\0" not in text:
            return _to_step_data(_json_or_text(text, path) if content_type is None else text)
    return {"data": None, "dataBase64": base64.b64encode(content).decode()}


def _json_or_text(text: str, path: str) -> JSON:
    try:
        return json_text.parse_any(text)
    except ValueError as error:
        raise ValidationFailed({path: [str(error)]}) from error


def _to_step_data(data: JSON) -> dict[str, JSON]:
    """Data as steps find it: the fields of an object by their names, anything else as ``data``."""
    if not isinstance(data, dict):
        return {"data": data}
    if "cloudEvent" in data:
        raise ValidationFailed({"data.cloudEvent": ["is where the event's attributes are"]})
    return data


def _to_incoming(event: dict[str, JSON], data: dict[str, JSON]) -> IncomingEvent:
    """The event as the inbox takes it: its data, and the event's attributes beside it."""
    attributes = {
        name: value
        for name, value in event.items()
        if name not in ("data", "data_base64") and value is not None
    }
    return IncomingEvent(
        type=event["type"],
        source=event["source"],
        external_id=event["id"],
        data={**data, "cloudEvent": attributes},
    )
