"""What request bodies have in common."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from starlette.routing import Match

from automations.domain.webhook_deliveries import Delivery

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

MAX_BODY_BYTES = 1_000_000
"""Of a route that does not say otherwise: a body is held in memory, and anybody may send one."""
MAX_FILES_BYTES = 16_000_000
"""Of a route that takes files, or tens of thousands of rows: 10 MB are 13.4 MB in base64."""

_LIMIT = "_body_limit"


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """The most bytes that a route takes, and how many when they are a form's files."""

    plain: int = MAX_BODY_BYTES
    multipart: int = MAX_BODY_BYTES

    def of(self, content_type: bytes) -> int:
        """The most bytes that a body of a type may have."""
        is_multipart = content_type.lower().startswith(b"multipart/form-data")
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


def limit_of(scope: MutableMapping[str, Any]) -> BodyLimit:
    """What the route that a request is for takes.

    This looks for the route as the router will once more, so it is for large bodies only.
    """
    for route in scope["app"].routes:
        if route.matches(scope)[0] is Match.FULL:
            found: BodyLimit = getattr(getattr(route, "endpoint", None), _LIMIT, BodyLimit())
            return found
    return BodyLimit()


class Body(BaseModel):
    """A camelCase body that refuses unknown fields."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    def given(self) -> dict[str, Any]:
        """The fields that the client sent, and only those."""
        return {name: getattr(self, name) for name in self.model_fields_set}


async def delivery_of(request: Request) -> Delivery:
    """A request to a webhook's URL, as it came."""
    return Delivery(
        method=request.method,
        # One that comes more often is a list, so that no secret is read from one of two.
        headers={name: ", ".join(request.headers.getlist(name)) for name in request.headers},
        query=request.scope["query_string"],
        body=await request.body(),
    )
