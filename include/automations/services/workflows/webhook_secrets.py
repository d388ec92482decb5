"""The secrets of webhook triggers: encrypted in the definition, or secrets of the workspace."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from automations.definitions.triggers import HIDDEN, WebhookTrigger
from automations.domain.fields import is_template
from automations.domain.secret_templates import secrets_named
from automations.errors import Unavailable
from automations.services.integrations import secrets, vault

_SEALED = "sealed:"
_REFERENCE = re.compile(r"\{\{\s*secret\.[A-Z][A-Z0-9_]{0,63}\s*\}\}")
MAX_LENGTH = 1_000
"""Longer than any sender's; it is sealed and stored."""
_MIN_KEY_BYTES = 16
"""A shorter key can be found from one signed delivery by trying."""


def seal(trigger: WebhookTrigger, before: Mapping[str, Any]) -> WebhookTrigger:
    """The trigger as it may be stored.

    Args:
        before: the stored trigger that it replaces.

    Raises:
        ValueError: the secret cannot be used, and why.
    """
    secret, previous = trigger.secret, before.get("secret")
    if secret is None:
        return trigger
    secret = _strip_breaks(secret)
    if previous is not None and same(str(previous), secret):
        secret = str(previous)
    elif secret == HIDDEN:
        if previous is None:
            raise ValueError("is required: this one only stands for a secret in answers")
        secret = str(previous)
    elif secret != previous:
        secret = _new(trigger.verification, secret)
    return trigger.model_copy(update={"secret": secret})


def seal_text(secret: str) -> str:
    """A secret as it may be stored before it is known whether it can be used."""
    return _SEALED + vault.cipher().encrypt(_strip_breaks(secret))


def is_reference(secret: str) -> bool:
    """Whether it only names a secret of the workspace."""
    return _REFERENCE.fullmatch(secret.strip()) is not None


def same(stored: str, secret: str) -> bool:
    """Whether a value is the one that a stored secret holds."""
    if not stored.startswith(_SEALED):
        return False
    return vault.decrypt("The webhook's secret", stored.removeprefix(_SEALED)) == secret


def _new(verification: str, secret: str) -> str:
    if is_template(secret):
        if not is_reference(secret):
            raise ValueError("must be a value, or one secret as in {{secret.WEBHOOK_KEY}}")
        return secret.strip()
    if secret.startswith(_SEALED) or len(secret) > MAX_LENGTH:
        raise ValueError(
            f"must have {MAX_LENGTH} characters at most and not begin with '{_SEALED}'"
        )
    if verification == "standard":
        _check_standard(secret)
    return _SEALED + vault.cipher().encrypt(secret)


def _check_standard(secret: str) -> None:
    try:
        text = secret.removeprefix("whsec_").rstrip("=")
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("must be base64, with whsec_ before it or not") from error
    if len(key) < _MIN_KEY_BYTES:
        raise ValueError(f"must be at least {_MIN_KEY_BYTES} bytes in base64")


def value_of(workspace_id: str, stored: str) -> str:
    """The value of a stored secret.

    Raises:
        Unavailable: it cannot be had now.
    """
    if stored.startswith(_SEALED):
        return vault.decrypt("The webhook's secret", stored.removeprefix(_SEALED))
    values = secrets.read(workspace_id, secrets_named(stored))
    if not values:
        raise Unavailable("The webhook's secret is not set.")
    return _strip_breaks(next(iter(values.values())))


def _strip_breaks(secret: str) -> str:
    """A secret without the line breaks and blanks that were pasted with it."""
    return "".join(secret.splitlines()).strip()
