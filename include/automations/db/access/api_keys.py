"""Workspaces and API keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import column, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSON, insert
from sqlalchemy.orm import Session

from automations.db import keyset_pages
from automations.db.session import statement
from automations.db.tables import ApiKey, Workspace
from automations.kit.ids import new_id

_LAST_USE_INTERVAL = timedelta(minutes=1)

# Every request asks this: so it is one plain statement.
_CREDENTIAL = text("""
SELECT id, workspace_id, name, role, scopes, member_id,
    revoked_at IS NULL
        AND coalesce(expires_at > clock_timestamp(), true)
        AND (token_hash = :hash OR coalesce(previous_expires_at > clock_timestamp(), false)),
    coalesce(last_used_at < clock_timestamp() - interval '1 minute', true)
FROM api_key WHERE token_hash = :hash OR previous_token_hash = :hash
""").columns(
    column("id"),
    column("workspace_id"),
    column("name"),
    column("role"),
    column("scopes", JSON),
    column("member_id"),
    column("valid"),
    column("use_is_old"),
)


@dataclass(frozen=True, slots=True)
class Credential:
    """An API key, as a request that carries its token needs it.

    Args:
        scopes: what it is limited to below its role; None is no limit.
        valid: neither revoked nor expired, nor rotated and past its grace.
        use_is_old: its last use that is noted is longer ago than such a note is kept.
    """

    id: str
    workspace_id: str
    name: str
    role: str
    scopes: Sequence[str] | None
    member_id: str | None
    valid: bool
    use_is_old: bool


def ensure_workspace(session: Session, slug: str, name: str) -> str:
    """The id of the workspace with this slug, made when it is not there."""
    session.execute(
        insert(Workspace).values(id=new_id(), slug=slug, name=name).on_conflict_do_nothing()
    )
    return session.scalars(select(Workspace.id).where(Workspace.slug == slug)).one()


def credential(token_hash: str) -> Credential | None:
    """What is known of the key that has, or had before its last rotation, this hash."""
    with statement() as connection:
        row = connection.execute(_CREDENTIAL, {"hash": token_hash}).first()
    return Credential(*row) if row else None


def page_after(
    session: Session, workspace_id: str, after: tuple[datetime, str] | None, limit: int
) -> Sequence[ApiKey]:
    """The keys of a workspace that are not revoked, behind one, newest first."""
    query = select(ApiKey).where(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None))
    return keyset_pages.page_after(session, query, (ApiKey.created_at, ApiKey.id), after, limit)


def lock(session: Session, workspace_id: str, key_id: str) -> ApiKey | None:
    """A key of a workspace that is not revoked, until the end of the transaction."""
    return session.scalar(
        select(ApiKey)
        .where(
            ApiKey.id == key_id, ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None)
        )
        .with_for_update()
    )


def find(session: Session, key_id: str) -> ApiKey | None:
    """A key, also one that is revoked."""
    return session.get(ApiKey, key_id)


def note_use(session: Session, key_id: str) -> ApiKey | None:
    """Note that a key was used, once a minute at most; the key, if this time it was noted."""
    now = func.clock_timestamp()
    return session.scalar(
        update(ApiKey)
        .where(
            ApiKey.id == key_id,
            or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < now - _LAST_USE_INTERVAL),
        )
        .values(last_used_at=now)
        .returning(ApiKey)
    )
