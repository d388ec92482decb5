"""Members, keys, secrets and integrations, as the API answers with them."""

from __future__ import annotations

from typing import Literal, TypeAlias

# The description of the API is made from these, by pydantic: it reads typing's own TypedDict only
# from Python 3.12 on.
from typing_extensions import TypedDict

from automations_client.shapes.json_values import Json

Role: TypeAlias = Literal["OWNER", "ADMIN", "MEMBER", "VIEWER"]


class Verdict(TypedDict):
    """Whether an outside service answers as it should."""

    success: bool
    message: str


class Member(TypedDict):
    """Somebody who may sign in to the workspace."""

    id: str
    name: str
    email: str
    role: Role
    createdAt: str


class ApiKey(TypedDict):
    """An API key, without its token."""

    id: str
    prefix: str
    name: str
    role: Role
    scopes: list[str] | None
    memberId: str | None
    createdAt: str
    lastUsedAt: str | None
    expiresAt: str | None
    previousTokenExpiresAt: str | None


class NewApiKey(ApiKey):
    """An API key with its token, which is shown once."""

    token: str


class Secret(TypedDict):
    """A secret, without its value."""

    name: str
    fingerprint: str
    createdAt: str
    updatedAt: str


class Integration(TypedDict):
    """An integration, without its credentials."""

    id: str
    name: str
    type: str
    config: Json
    credentialsFingerprint: str | None
    enabled: bool
    isSiteEmailProvider: bool
    createdAt: str
    updatedAt: str
