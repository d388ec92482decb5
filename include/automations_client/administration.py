"""Members, API keys, secrets and integrations of the workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from automations_client.shapes import (
    ApiKey,
    Integration,
    Member,
    NewApiKey,
    Role,
    Secret,
    Verdict,
)
from automations_client.transport import Transport, address


class Members:
    """``/api/members``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self) -> list[Member]:
        return cast(list[Member], self._transport.json("GET", address("members")))

    def create(self, name: str, email: str, role: Role = "MEMBER") -> Member:
        body = {"name": name, "email": email, "role": role}
        return cast(Member, self._transport.json("POST", address("members"), body))

    def update(self, member_id: str, change: Mapping[str, Any]) -> Member:
        return cast(Member, self._transport.json("PATCH", address("members", member_id), change))

    def delete(self, member_id: str) -> None:
        """Remove a member; their API keys are revoked."""
        self._transport.json("DELETE", address("members", member_id))


class ApiKeys:
    """``/api/api-keys``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self) -> list[ApiKey]:
        return cast(list[ApiKey], self._transport.all(address("api-keys")))

    def create(
        self,
        name: str,
        role: Role = "MEMBER",
        *,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
        member_id: str | None = None,
    ) -> NewApiKey:
        """Make an API key; its token is shown now and never again."""
        body = {
            "name": name,
            "role": role,
            "scopes": scopes,
            "expiresAt": None if expires_at is None else expires_at.isoformat(),
            "memberId": member_id,
        }
        return cast(NewApiKey, self._transport.json("POST", address("api-keys"), body))

    def rotate(self, key_id: str, grace_seconds: int = 0) -> NewApiKey:
        """Give an API key another token; the one before goes on working for a while."""
        body = {"graceSeconds": grace_seconds}
        path = address("api-keys", key_id, "rotate")
        return cast(NewApiKey, self._transport.json("POST", path, body))

    def revoke(self, key_id: str) -> None:
        self._transport.json("DELETE", address("api-keys", key_id))


class Secrets:
    """``/api/secrets``; their values are never read."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self) -> list[Secret]:
        return cast(list[Secret], self._transport.all(address("secrets")))

    def put(self, name: str, value: str) -> Secret:
        """Set a secret, usable as ``{{secret.NAME}}``."""
        return cast(Secret, self._transport.json("PUT", address("secrets", name), {"value": value}))

    def delete(self, name: str) -> None:
        self._transport.json("DELETE", address("secrets", name))


class Integrations:
    """``/api/integrations``; credentials are never read."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self) -> list[Integration]:
        return cast(list[Integration], self._transport.json("GET", address("integrations")))

    def get(self, integration_id: str) -> Integration:
        path = address("integrations", integration_id)
        return cast(Integration, self._transport.json("GET", path))

    def create(self, integration: Mapping[str, Any]) -> Integration:
        path = address("integrations")
        return cast(Integration, self._transport.json("POST", path, integration))

    def update(self, integration_id: str, change: Mapping[str, Any]) -> Integration:
        path = address("integrations", integration_id)
        return cast(Integration, self._transport.json("PATCH", path, change))

    def delete(self, integration_id: str) -> None:
        self._transport.json("DELETE", address("integrations", integration_id))

    def test(self, integration_id: str) -> Verdict:
        """Connect to the service and sign in; sends nothing."""
        path = address("integrations", integration_id, "test")
        return cast(Verdict, self._transport.json("POST", path))
