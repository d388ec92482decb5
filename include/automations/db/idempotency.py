"""Idempotency keys as they are stored: claimed by one request, answered once."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import IdempotencyKey

KEPT = timedelta(hours=24)
LEASE = timedelta(minutes=10)
"""After so long without an answer the request is taken for lost with its process."""
_PRUNED_AT_ONCE = 100


def claim(
    session: Session, workspace_id: str, key: str, *, request_sha256: str, claim_id: str
) -> bool:
    """Take a key for a request; False when it is another one's."""
    now = func.clock_timestamp()
    fresh = {
        "request_sha256": request_sha256,
        "claim": claim_id,
        "status": None,
        "answer": None,
        "created_at": now,
    }
    abandoned = and_(IdempotencyKey.status.is_(None), IdempotencyKey.created_at < now - LEASE)
    taken = session.scalar(
        insert(IdempotencyKey)
        .values(workspace_id=workspace_id, key=key, **fresh)
        .on_conflict_do_update(
            index_elements=["workspace_id", "key"],
            set_=fresh,
            where=or_(IdempotencyKey.created_at < now - KEPT, abandoned),
        )
        .returning(IdempotencyKey.claim)
    )
    return taken is not None


def find(session: Session, workspace_id: str, key: str) -> IdempotencyKey | None:
    """What is known of a key."""
    return session.get(IdempotencyKey, (workspace_id, key))


def answer(
    session: Session, workspace_id: str, key: str, claim_id: str, *, status: int, answer: str
) -> None:
    """Keep the answer, unless the claim was lost."""
    session.execute(
        update(IdempotencyKey)
        .where(*_claimed(workspace_id, key, claim_id))
        .values(status=status, answer=answer)
    )


def release(session: Session, workspace_id: str, key: str, claim_id: str) -> None:
    """Forget the request, so that the key may be used again."""
    session.execute(delete(IdempotencyKey).where(*_claimed(workspace_id, key, claim_id)))


def prune(session: Session) -> int:
    """Delete some of the keys that are no longer kept, without waiting for anybody; how many."""
    old = (
        select(IdempotencyKey.workspace_id, IdempotencyKey.key)
        .where(IdempotencyKey.created_at < func.clock_timestamp() - KEPT)
        .limit(_PRUNED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    gone = session.scalars(
        delete(IdempotencyKey)
        .where(tuple_(IdempotencyKey.workspace_id, IdempotencyKey.key).in_(old))
        .returning(IdempotencyKey.key)
    )
    return len(gone.all())


def _claimed(workspace_id: str, key: str, claim_id: str) -> list[ColumnElement[bool]]:
    return [
        IdempotencyKey.workspace_id == workspace_id,
        IdempotencyKey.key == key,
        IdempotencyKey.claim == claim_id,
    ]
