"""What request bodies have in common."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from automations.domain.webhook_deliveries import Delivery


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
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.query_params.multi_items(),
        body=await request.body(),
    )
