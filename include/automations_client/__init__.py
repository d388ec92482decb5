"""A typed client of the automations' API; it needs nothing but httpx."""

from automations_client.client import Client
from automations_client.errors import (
    ApiError,
    ClientError,
    Conflict,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    RateLimited,
    RuleBroken,
    Unreachable,
    ValidationFailed,
    WaitTimeout,
)
from automations_client.pages import Page
from automations_client.runs import ENDED

__all__ = [
    "ENDED",
    "ApiError",
    "Client",
    "ClientError",
    "Conflict",
    "NotAllowed",
    "NotAuthenticated",
    "NotFound",
    "Page",
    "RateLimited",
    "RuleBroken",
    "Unreachable",
    "ValidationFailed",
    "WaitTimeout",
]
