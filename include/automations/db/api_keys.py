"""Workspaces and API keys."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import ApiKey, Workspace
from automations.ids import new_id

_LAST_USE = timedelta(minutes=1)


def ensure_workspace(session: Session, slug: str, name: str) -> str:
    """The id of the workspace with this slug, made when it is not there."""
    session.execute(
        insert(Workspace).values(id=new_id(), slug=slug, name=name).on_conflict_do_nothing()
    )
    return session.scalars(select(Workspace.id).where(Workspace.slug == slug)).one()


def find_valid(session: Session, token_hash: str) -> ApiKey | None:
    """The key with this hash, unless it is revoked or expired."""
    now = func.clock_timestamp()
    return session.scalar(
        select(ApiKey).where(
            ApiKey.token_hash == token_hash,
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
        )
    )


def note_use(session: Session, key_id: str) -> None:
    """Note that a key was used, once a minute at most."""
    now = func.clock_timestamp()
    session.execute(
        update(ApiKey)
        .where(
            ApiKey.id == key_id,
            or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < now - _LAST_USE),
        )
        .values(last_used_at=now)
    )
