"""Secrets of a workspace: written by administrators, read only by the steps that name them.

``AUTOMATIONS_SECRET_<NAME>`` in the environment is a secret of the whole installation, for every
workspace that has none of that name; so is what the steps' host keeps under that name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from automations.db import secrets
from automations.db.session import unit_of_work
from automations.domain.fields import SECRET_NAME
from automations.errors import NotFound, ValidationFailed
from automations.kit import cursors
from automations.kit.masking import MIN_SECRET_LENGTH
from automations.kit.values import from_attributes
from automations.ports import SecretSource
from automations.services.audit import audit
from automations.services.integrations import vault

MAX_LENGTH = 8_000
"""Room for a private key with its certificates."""
PREFIX = "AUTOMATIONS_SECRET_"
"""Of the names of secrets of the whole installation."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret without its value."""

    name: str
    fingerprint: str
    created_at: datetime
    updated_at: datetime


def list_all(workspace_id: str) -> Sequence[Secret]:
    """All secrets of a workspace; their values stay encrypted."""
    with unit_of_work() as session:
        return [from_attributes(Secret, row) for row in secrets.list_all(session, workspace_id)]


def page_after(
    workspace_id: str, cursor: str | None, size: int
) -> tuple[Sequence[Secret], str | None]:
    """The secrets after a cursor, by name, and the next cursor."""
    after = cursors.decode(cursor)[1] if cursor else None
    with unit_of_work() as session:
        rows = secrets.page_after(session, workspace_id, after, size + 1)
    page_secrets = [from_attributes(Secret, row) for row in rows]
    return cursors.page(page_secrets, size, lambda secret: (secret.created_at, secret.name))


def put(workspace_id: str, name: str, value: str) -> Secret:
    """Set a secret.

    Raises:
        ValidationFailed: the name or the value cannot be used.
    """
    errors: dict[str, list[str]] = {}
    if not SECRET_NAME.fullmatch(name):
        errors["name"] = ["must be capital letters, digits and _, 64 at most, a letter first"]
    if len(value.strip()) < MIN_SECRET_LENGTH:
        errors["value"] = [
            f"must have {MIN_SECRET_LENGTH} characters at least, or it cannot be masked"
        ]
    elif len(value) > MAX_LENGTH:
        errors["value"] = [f"may have {MAX_LENGTH} characters at most"]
    if errors:
        raise ValidationFailed(errors)
    cipher = vault.cipher()
    with unit_of_work() as session:
        secret = secrets.put(
            session,
            workspace_id,
            name,
            ciphertext=cipher.encrypt(value),
            fingerprint=cipher.fingerprint(value),
        )
        audit.record(session, "secret.set", secret, fingerprint=secret.fingerprint)
        return from_attributes(Secret, secret)


def delete(workspace_id: str, name: str) -> None:
    """Delete a secret; the steps that name it fail from now on.

    Raises:
        NotFound: there is none of this name.
    """
    with unit_of_work() as session:
        if not secrets.remove(session, workspace_id, name):
            raise NotFound(f"There is no secret {name}.")
        audit.record(session, "secret.delete", audit.Resource(workspace_id, "secret", name))


def read(
    workspace_id: str, names: Set[str], elsewhere: SecretSource | None = None
) -> dict[str, str]:
    """The values of those of the named secrets that there are.

    Args:
        elsewhere: asked for what neither the store nor the environment has.
    """
    with unit_of_work() as session:
        stored = secrets.find_by_names(session, workspace_id, names)
    own = {row.name: vault.decrypt(f"Secret {row.name}", row.ciphertext) for row in stored}
    shared = {name: os.environ.get(PREFIX + name, "") for name in names - own.keys()}
    missing = {name for name, value in shared.items() if not _can_be_masked(value)}
    if missing and elsewhere is not None:
        shared.update(elsewhere.read(missing))
    return own | {name: value for name, value in shared.items() if _can_be_masked(value)}


def _can_be_masked(value: str) -> bool:
    return len(value.strip()) >= MIN_SECRET_LENGTH
