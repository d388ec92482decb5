"""Workspaces and API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import and_, func, or_, select, update
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
    """The key with this hash, unless it is revoked, expired, or rotated and past its grace."""
    now = func.clock_timestamp()
    return session.scalar(
        select(ApiKey).where(
            or_(
                ApiKey.token_hash == token_hash,
                and_(
                    ApiKey.previous_token_hash == token_hash,
                    ApiKey.previous_expires_at > now,
                ),
            ),
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
        )
    )


def find_any(session: Session, token_hash: str) -> ApiKey | None:
    """The key that has, or had before its last rotation, this hash, whatever became of it."""
    return session.scalar(
        select(ApiKey).where(
            or_(ApiKey.token_hash == token_hash, ApiKey.previous_token_hash == token_hash)
        )
    )


def listed(session: Session, workspace_id: str) -> Sequence[ApiKey]:
    """The keys of a workspace that are not revoked, newest first."""
    return session.scalars(
        select(ApiKey)
        .where(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None))
        .order_by(ApiKey.created_at.desc(), ApiKey.id)
    ).all()


def lock(session: Session, workspace_id: str, key_id: str) -> ApiKey | None:
    """A key of a workspace that is not revoked, until the end of the transaction."""
    return session.scalar(
        select(ApiKey)
        .where(
            ApiKey.id == key_id, ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None)
        )
        .with_for_update()
    )


def is_use_old(key: ApiKey) -> bool:
    """Whether the last use that is noted is so long ago that the next one should be."""
    noted = key.last_used_at
    return noted is None or noted < datetime.now(UTC) - _LAST_USE


def note_use(session: Session, key_id: str) -> bool:
    """Note that a key was used, once a minute at most; says whether this time it was noted."""
    now = func.clock_timestamp()
    noted = session.scalar(
        update(ApiKey)
        .where(
            ApiKey.id == key_id,
            or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < now - _LAST_USE),
        )
        .values(last_used_at=now)
        .returning(ApiKey.id)
    )
    return noted is not None
