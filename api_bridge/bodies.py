"""The base class of request bodies, and their limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from fastapi import Request
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from automations.domain.fields import Lenient, describe_nulls
from automations.domain.webhook_deliveries import Delivery
from automations.errors import ValidationFailed
from automations.kit import json_text
from automations.kit.form_bodies import charset_of
from automations.kit.storable import NotStorable, same
from automations.kit.values import JSON

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

MAX_BODY_BYTES = 1_000_000
"""Of a route that does not say otherwise: a body is held in memory, and anybody may send one."""
MAX_FILES_BYTES = 16_000_000
"""Of a route that takes files, or tens of thousands of rows: 10 MB are 13.4 MB in base64."""

MAX_SIGN_IN_BYTES = 20_000
"""Of what everybody may send; the longest fields, escaped letter by letter, have fewer."""
_LIMIT = "_body_limit"


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """The most bytes that a route takes, and how many when they are a form's files."""

    plain: int = MAX_BODY_BYTES
    multipart: int = MAX_BODY_BYTES

    def of(self, content_type: str) -> int:
        """The most bytes that a body of a type may have."""
        is_multipart = content_type.lower().startswith("multipart/form-data")
        return self.multipart if is_multipart else self.plain


def body_limit(
    plain: int = MAX_BODY_BYTES, *, multipart: int = 0
) -> Callable[[Endpoint], Endpoint]:
    """Have an endpoint take larger bodies than others.

    Args:
        multipart: of forms with files; as much as of others, or more.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _LIMIT, BodyLimit(plain, max(plain, multipart)))
        return endpoint

    return mark


def limit_of(endpoint: Callable[..., Any]) -> BodyLimit:
    """What an endpoint takes."""
    limit: BodyLimit = getattr(endpoint, _LIMIT, BodyLimit())
    return limit


def json_of(body: bytes, content_type: str) -> JSON:
    """The value of a JSON body; large ones are for a thread.

    Raises:
        ValidationFailed: it is none, or is more than can be kept.
    """
    try:
        return json_text.parse_json(json_text.decode(body, charset_of(content_type)))
    except NotStorable as error:
        raise ValidationFailed(error.errors) from error
    except ValueError as error:
        raise ValidationFailed({"body": [str(error)]}) from error


class Body(Lenient):
    """A camelCase body that refuses unknown fields."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", json_schema_extra=describe_nulls
    )

    def sent_fields(self) -> dict[str, Any]:
        """The fields that the client sent, and only those."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def check_read_only(sent: Mapping[str, JSON], shown: Mapping[str, JSON]) -> None:
    """Check fields that cannot be changed, of what was read, changed and sent back.

    Args:
        sent: those that came back.
        shown: what is read now.

    Raises:
        ValidationFailed: one says something else, or there is no such field.
    """
    problems: dict[str, list[str]] = {}
    for name, value in sent.items():
        if name not in shown:
            problems[name] = ["unknown field"]
        elif not same(value, shown[name]):
            problems[name] = ["is read-only, and was something else when it was read last"]
    if problems:
        raise ValidationFailed(problems)


def _close_schema(schema: dict[str, Any]) -> None:
    schema["additionalProperties"] = False
    describe_nulls(schema)


class Edited(Lenient):
    """A body by which something is changed, that may have all fields in which it is shown.

    Whoever has read it, and changes a field, sends back the others, too.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=_close_schema)

    def as_shown(self, shown: Mapping[str, JSON]) -> Self:
        """The body without the fields that cannot be changed, if they are as they are shown.

        Raises:
            ValidationFailed: one is not, or is no field at all; it is named.
        """
        extra = self.__pydantic_extra__ or {}
        check_read_only(extra, shown)
        self.__pydantic_fields_set__.difference_update(extra)
        extra.clear()
        return self


async def delivery_of(request: Request) -> Delivery:
    """A request to a webhook's URL, as it came."""
    return Delivery(
        method=request.method,
        # One that comes more often is a list, so that no secret is read from one of two.
        headers={name: ", ".join(request.headers.getlist(name)) for name in request.headers},
        query=request.scope["query_string"],
        body=await request.body(),
    )
