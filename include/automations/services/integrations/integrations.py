"""Integrations: outside services that a workspace uses; their credentials never leave us."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automations.db import integrations
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import Integration as IntegrationRow
from automations.definitions.integrations import DESTINATIONS, EMAIL, check
from automations.errors import Conflict, NotFound, RuleBroken, ValidationFailed
from automations.kit import common_clock
from automations.kit.values import JSON, from_attributes
from automations.services.audit import audit
from automations.services.integrations import vault


@dataclass(frozen=True, slots=True)
class Integration:
    """An integration without its credentials."""

    id: str
    name: str
    type: str
    config: Mapping[str, JSON]
    fingerprint: str | None
    enabled: bool
    is_site_email_provider: bool
    created_at: datetime
    updated_at: datetime


def list_all(workspace_id: str) -> Sequence[Integration]:
    """All integrations of a workspace."""
    with unit_of_work() as session:
        rows = integrations.list_all(session, workspace_id)
    return [from_attributes(Integration, row) for row in rows]


def get(workspace_id: str, integration_id: str) -> Integration:
    """One integration."""
    with unit_of_work() as session:
        return from_attributes(Integration, find(session, workspace_id, integration_id))


def create(
    workspace_id: str,
    *,
    name: str,
    kind: str,
    config: dict[str, JSON],
    credentials: dict[str, JSON],
    enabled: bool,
    site_email_provider: bool,
) -> Integration:
    """Set up an integration.

    Raises:
        ValidationFailed: config or credentials do not fit the type.
        Conflict: another one has this name.
    """
    _check_none(check(kind, config, credentials))
    with unit_of_work() as session:
        integrations.lock(session, workspace_id)
        row = IntegrationRow(workspace_id=workspace_id, type=kind, config=config, enabled=enabled)
        _rename(session, row, name)
        _encrypt(row, credentials)
        _choose_email_provider(session, row, site_email_provider)
        session.add(row)
        session.flush()
        session.refresh(row)
        audit.record(session, "integration.create", row, name=row.name, type=row.type)
        return from_attributes(Integration, row)


def update(
    workspace_id: str,
    integration_id: str,
    changes: Mapping[str, Any],
    *,
    seen: datetime | None = None,
) -> Integration:
    """Change an integration.

    Args:
        changes: ``name``, ``config``, ``credentials``, ``enabled``, ``site_email_provider``;
            what is absent stays.
        seen: when it was changed last, as far as is known; None to change whatever it is.

    Raises:
        ValidationFailed: as ``create``.
        Conflict: as ``create``, or it was changed since it was seen.
    """
    with unit_of_work() as session:
        integrations.lock(session, workspace_id)
        row = find(session, workspace_id, integration_id)
        if seen is not None and row.updated_at != seen:
            raise Conflict(
                f"Somebody else has changed the integration '{row.name}' meanwhile: load the page "
                "anew to change what it is now."
            )
        config = changes.get("config", row.config)
        credentials = changes.get("credentials")
        errors = check(row.type, config, credentials)
        if row.ciphertext is not None and credentials is None:
            moved = [key for key in DESTINATIONS if config.get(key) != row.config.get(key)]
            if moved:
                # Or whoever may change the address could have the password sent to it.
                errors["credentials"] = [f"must be given again when {moved[0]} changes"]
        _check_none(errors)
        row.config = config
        row.enabled = changes.get("enabled", row.enabled)
        if "name" in changes:
            _rename(session, row, changes["name"])
        if credentials is not None:
            _encrypt(row, credentials)
        if "site_email_provider" in changes:
            _choose_email_provider(session, row, changes["site_email_provider"])
        row.updated_at = common_clock.now()
        audit.record(session, "integration.update", row, name=row.name, fields=sorted(changes))
        session.flush()
        session.refresh(row)
        return from_attributes(Integration, row)


def delete(workspace_id: str, integration_id: str) -> None:
    """Delete an integration and its credentials."""
    with unit_of_work() as session:
        integrations.lock(session, workspace_id)
        row = find(session, workspace_id, integration_id)
        audit.record(session, "integration.delete", row, name=row.name, type=row.type)
        session.delete(row)


def acting_id(workspace_id: str, kind: str) -> str | None:
    """The id of the one integration of a type that steps act by, if there is one."""
    with reading() as session:
        row = _find_acting(session, workspace_id, kind)
        return None if row is None else row.id


def _find_acting(session: Session, workspace_id: str, kind: str) -> IntegrationRow | None:
    if kind == EMAIL:
        return integrations.site_email_provider(session, workspace_id)
    return integrations.newest_enabled(session, workspace_id, kind)


def credentials_of(workspace_id: str, kind: str) -> tuple[dict[str, JSON], dict[str, JSON]] | None:
    """Config and credentials of the newest enabled integration of a type, if there is one."""
    with unit_of_work() as session:
        row = integrations.newest_enabled(session, workspace_id, kind)
    return None if row is None else (row.config, credentials(row))


def credentials(row: IntegrationRow) -> dict[str, JSON]:
    """An integration's credentials."""
    if row.ciphertext is None:
        return {}
    opened: dict[str, JSON] = json.loads(vault.decrypt(f"Integration {row.name}", row.ciphertext))
    return opened


def find(session: Session, workspace_id: str, integration_id: str) -> IntegrationRow:
    """An integration of a workspace.

    Raises:
        NotFound: it is not there.
    """
    row = integrations.find(session, workspace_id, integration_id)
    if row is None:
        raise NotFound(f"There is no integration {integration_id}.")
    return row


def _check_none(errors: dict[str, list[str]]) -> None:
    if errors:
        raise ValidationFailed(errors)


def _rename(session: Session, row: IntegrationRow, name: str) -> None:
    with session.no_autoflush:
        other = integrations.id_of_name(session, row.workspace_id, name)
    if other is not None and other != row.id:
        raise Conflict(f"Another integration is named '{name}'.")
    row.name = name


def _encrypt(row: IntegrationRow, to_encrypt: dict[str, JSON]) -> None:
    if not to_encrypt:
        row.ciphertext = row.fingerprint = None
        return
    text = json.dumps(to_encrypt, sort_keys=True, ensure_ascii=False)
    cipher = vault.cipher()
    row.ciphertext, row.fingerprint = cipher.encrypt(text), cipher.fingerprint(text)


def _choose_email_provider(
    session: Session, row: IntegrationRow, site_email_provider: bool
) -> None:
    if site_email_provider:
        if row.type != EMAIL:
            raise RuleBroken(f"Only an integration of type {EMAIL} can be the site email provider.")
        with session.no_autoflush:
            integrations.clear_site_email_provider(session, row.workspace_id)
    row.is_site_email_provider = site_email_provider
