"""Pipelines and syncs, as the API answers with them."""

from __future__ import annotations

from typing import Any

# The description of the API is made from these, by pydantic: it reads typing's own TypedDict only
# from Python 3.12 on.
from typing_extensions import TypedDict

from automations_client.shapes.json_values import Json


class Connection(TypedDict):
    """A connection of a pipeline; a secret is only named in it."""

    id: str
    name: str
    connectorType: str
    config: Json
    tables: list[Json]
    interval: str | None
    enabled: bool
    createdAt: str
    updatedAt: str


class Field(TypedDict):
    """A field found in a sample of records, with an example of its values."""

    path: str
    example: Any


class Sync(TypedDict):
    """A sync, with what it has done so far."""

    id: str
    connectionId: str
    status: str
    startedBy: str
    pages: int
    records: int
    created: int
    updated: int
    unchanged: int
    failed: int
    tables: list[Json]
    errors: list[Json]
    error: str | None
    startedAt: str
    completedAt: str | None


class WebhookUrl(TypedDict):
    """A pipeline's URL for pushed records."""

    webhookUrl: str
