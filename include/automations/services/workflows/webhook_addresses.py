"""The webhook URLs of automations: secrets, of which only hashes are stored."""

from __future__ import annotations

from typing import NamedTuple

from automations.db.tables import Workflow
from automations.kit.ids import new_id
from automations.settings import get_settings
from automations.tokens import derive_token, hash_token


class Address(NamedTuple):
    """What an automation's row keeps of its URL."""

    webhook_salt: str
    webhook_hash: str


def fresh() -> Address:
    """A new URL."""
    salt = new_id()
    return Address(salt, hash_token(_token(salt, None)))


def renew(workflow: Workflow) -> None:
    """Give an automation a new URL; the old one is unknown from now on."""
    workflow.webhook_salt, workflow.webhook_hash = fresh()


def url(salt: str | None, token_hash: str | None) -> str | None:
    """The URL; None when there is none.

    It is none, too, where the key that it was made by is not in use any more: it goes on working
    for who has it, and nobody can be shown it again.
    """
    if salt is None:
        return None
    token = _token(salt, token_hash)
    if hash_token(token) != token_hash:
        return None
    return f"{get_settings().bridge_base}/api/webhooks/{token}"


def _token(salt: str, token_hash: str | None) -> str:
    return derive_token(f"webhook:{salt}", token_hash)
