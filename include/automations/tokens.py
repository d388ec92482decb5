"""Tokens for secret links, derived from a key so that a repeat or a reminder has the same one."""

from __future__ import annotations

import base64
import hashlib
import hmac

from automations.errors import Unavailable
from automations.settings import get_settings


def derive_token(purpose: str, existing_hash: str | None = None) -> str:
    """The token for one purpose: nobody without the installation's key can make or guess it.

    Args:
        existing_hash: the hash of the token that was given out, which an older key may have made;
            when none of the keys has, the token is the newest key's.
    """
    keys = [key.strip() for key in get_settings().encryption_key.split(",") if key.strip()]
    if not keys:
        # Otherwise tokens could be guessed.
        raise Unavailable("No encryption key is configured: set AUTOMATIONS_ENCRYPTION_KEY.")
    tokens = [_derive(key, purpose) for key in keys]
    return next((token for token in tokens if hash_token(token) == existing_hash), tokens[0])


def _derive(key: str, purpose: str) -> str:
    digest = hmac.digest(key.encode(), f"token:{purpose}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def hash_token(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def callback_url(token: str) -> str:
    """The link of an approval or a callback."""
    return f"{get_settings().bridge_base}/api/workflows/callback/{token}"


def form_url(token: str) -> str:
    """The link of a form that was sent to one person."""
    return f"{get_settings().bridge_base}/api/forms/requests/{token}"
