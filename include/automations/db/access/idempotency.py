"""The stored idempotency keys: with the answer, in the transaction of the work."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import IdempotencyKey

RETENTION = timedelta(hours=24)
"""As long as clients may come back with a key, as the API says."""
_PRUNE_BATCH_SIZE = 100
"""Beside each new key, so that none are left over, and no request deletes thousands."""


def lock(session: Session, workspace_id: str, key: str) -> bool:
    """Keep all others from a key until the transaction ends; False when another one has it.

    PostgreSQL gives it back with the connection, so that nobody waits for a process that died.
    """
    name = func.hashtextextended(f"idempotency:{workspace_id}:{key}", 0)
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(name))))


def find(session: Session, workspace_id: str, key: str) -> IdempotencyKey | None:
    """What is known of a key that is still kept."""
    return session.scalar(
        select(IdempotencyKey).where(
            IdempotencyKey.workspace_id == workspace_id,
            IdempotencyKey.key == key,
            IdempotencyKey.created_at > func.clock_timestamp() - RETENTION,
        )
    )


def put(
    session: Session,
    workspace_id: str,
    key: str,
    *,
    request_sha256: str,
    claim: str,
    status: int | None = None,
    answer: str | None = None,
) -> None:
    """Keep a request under its key, with its answer or before there is one."""
    values = {
        "request_sha256": request_sha256,
        "claim": claim,
        "status": status,
        "answer": answer,
        "created_at": func.clock_timestamp(),
    }
    session.execute(
        insert(IdempotencyKey)
        .values(workspace_id=workspace_id, key=key, **values)
        .on_conflict_do_update(index_elements=["workspace_id", "key"], set_=values)
    )


def forget(session: Session, workspace_id: str, key: str) -> None:
    """Forget a request, so that the key may be used again."""
    session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.workspace_id == workspace_id, IdempotencyKey.key == key
        )
    )


def prune(session: Session) -> int:
    """Delete some of the keys that are no longer kept, without waiting for anybody; how many."""
    old = (
        select(IdempotencyKey.workspace_id, IdempotencyKey.key)
        .where(IdempotencyKey.created_at < func.clock_timestamp() - RETENTION)
        .limit(_PRUNE_BATCH_SIZE)
        .with_for_update(skip_locked=True)
    )
    deleted = session.scalars(
        delete(IdempotencyKey)
        .where(tuple_(IdempotencyKey.workspace_id, IdempotencyKey.key).in_(old))
        .returning(IdempotencyKey.key)
    )
    return len(deleted.all())
