"""API keys: shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets

from automations.db import api_keys
from automations.db.session import unit_of_work
from automations.db.tables import ApiKey
from automations.errors import NotAuthenticated
from automations.services.bootstrap import ensure_workspace

_PREFIX_LENGTH = 11


def create_key(role: str, name: str, workspace_id: str | None = None) -> str:
    """Make a key for a workspace, the default one when none is given; returns the token."""
    token = f"sk_{secrets.token_urlsafe(32)}"
    workspace = workspace_id or ensure_workspace()
    with unit_of_work() as session:
        session.add(
            ApiKey(
                workspace_id=workspace,
                name=name,
                role=role,
                prefix=token[:_PREFIX_LENGTH],
                token_hash=_hash(token),
            )
        )
    return token


def authenticate(token: str) -> ApiKey:
    """The key that a token belongs to.

    Raises:
        NotAuthenticated: it is unknown, revoked or expired.
    """
    with unit_of_work() as session:
        key = api_keys.find_valid(session, _hash(token))
        if key is None:
            raise NotAuthenticated
        api_keys.note_use(session, key.id)
        return key


def _hash(token: str) -> str:
    # A plain hash is enough: the token has 256 random bits, so there is nothing to guess.
    return hashlib.sha256(token.encode()).hexdigest()
