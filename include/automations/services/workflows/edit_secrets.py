"""A webhook's secret in an edit: never shown to the editor, and never stored as plain text.

Where an edit's definition has a secret it is one of these: ``HIDDEN``, for the one that is saved; a
reference to a secret of the workspace; or ``new:`` and the sealed text of one that was typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automations.definitions import editing
from automations.definitions.triggers import HIDDEN
from automations.errors import ValidationFailed
from automations.services.workflows import webhook_secrets

_NEW = "new:"


def begin(stored: Mapping[str, Any]) -> editing.Draft:
    """A stored definition as an edit begins with it."""
    draft = editing.lay_out(stored)
    secret = _secret_of(draft)
    if secret is not None and not webhook_secrets.is_reference(secret):
        return _with(draft, HIDDEN)
    return draft


def as_seen(stored: Mapping[str, Any]) -> editing.Draft:
    """What is kept of an edit, as its editor sees it."""
    secret = _secret_of(stored)
    return _with(stored, HIDDEN) if _is_new(secret) else dict(stored)


def seal(draft: editing.Draft, before: Mapping[str, Any]) -> editing.Draft:
    """A changed definition as it may be kept: a secret that was typed is sealed at once.

    Args:
        before: what is kept of the edit so far.

    Raises:
        ValidationFailed: the secret is too long.
    """
    typed = _secret_of(draft)
    if not typed or webhook_secrets.is_reference(typed):
        return draft
    trigger = before.get("trigger")
    stored_secret = trigger.get("secret", HIDDEN) if isinstance(trigger, dict) else HIDDEN
    if typed == HIDDEN or _holds(stored_secret, typed):
        return _with(draft, stored_secret)
    if len(typed) > webhook_secrets.MAX_LENGTH:
        raise ValidationFailed(
            {"trigger.secret": [f"may have {webhook_secrets.MAX_LENGTH} characters at most"]}
        )
    return _with(draft, _NEW + webhook_secrets.seal_text(typed))


def unseal(workspace_id: str, stored: editing.Draft) -> editing.Draft:
    """What is kept of an edit, as it is saved: with the secret that was typed."""
    secret = _secret_of(stored)
    if secret is None or not _is_new(secret):
        return stored
    return _with(stored, webhook_secrets.value_of(workspace_id, secret.removeprefix(_NEW)))


def _secret_of(definition: Mapping[str, Any]) -> str | None:
    trigger = definition.get("trigger")
    secret = trigger.get("secret") if isinstance(trigger, dict) else None
    return secret if isinstance(secret, str) else None


def _with(definition: Mapping[str, Any], secret: Any) -> editing.Draft:
    return {**definition, "trigger": {**definition["trigger"], "secret": secret}}


def _is_new(secret: Any) -> bool:
    return isinstance(secret, str) and secret.startswith(_NEW)


def _holds(stored: Any, typed: str) -> bool:
    """Whether a secret is the one that was typed before: sealed once more it would be another."""
    return _is_new(stored) and webhook_secrets.same(stored.removeprefix(_NEW), typed)
