"""How secrets and integrations look in answers."""

from __future__ import annotations

from typing import Any

from automations.kit.clock import timestamp
from automations.services.integrations.integrations import Integration
from automations.services.integrations.secrets import Secret


def secret(shown: Secret) -> dict[str, Any]:
    """A secret, without its value."""
    return {
        "name": shown.name,
        "fingerprint": shown.fingerprint,
        "createdAt": timestamp(shown.created_at),
        "updatedAt": timestamp(shown.updated_at),
    }


def integration(shown: Integration) -> dict[str, Any]:
    """An integration, without its credentials."""
    return {
        "id": shown.id,
        "name": shown.name,
        "type": shown.type,
        "config": shown.config,
        "credentialsFingerprint": shown.fingerprint,
        "enabled": shown.enabled,
        "isSiteEmailProvider": shown.is_site_email_provider,
        "createdAt": timestamp(shown.created_at),
        "updatedAt": timestamp(shown.updated_at),
    }
