"""Callback URLs that steps hand out, and what was sent to them."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import Callback
from automations.kit.values import JSON
from automations.tokens import callback_url, derive_token, hash_token


def hand_out(session: Session, run_id: str, key: str) -> str:
    """The URL for a step's callback, made known before anybody can call it."""
    callback = by_key(session, key)
    token = derive_token(f"callback:{key}", callback.token_hash if callback else None)
    row = insert(Callback).values(token_hash=hash_token(token), run_id=run_id, key=key)
    session.execute(
        row.on_conflict_do_update(
            index_elements=["key"],
            # Another one than before only when the key that made that is not in use any more.
            set_={"token_hash": row.excluded.token_hash},
            where=Callback.token_hash != row.excluded.token_hash,
        )
    )
    return callback_url(token)


def find(session: Session, token_hash: str) -> Callback | None:
    """The callback that a token belongs to."""
    return session.get(Callback, token_hash)


def by_key(session: Session, key: str) -> Callback | None:
    """The callback of a step."""
    return session.scalar(select(Callback).where(Callback.key == key))


def receive(session: Session, callback: Callback, data: JSON) -> bool:
    """Keep what was sent; False when the URL was called before."""
    won = session.scalar(
        update(Callback)
        .where(Callback.token_hash == callback.token_hash, Callback.called_at.is_(None))
        .values(called_at=func.clock_timestamp(), data=data)
        .returning(Callback.token_hash)
    )
    return won is not None
