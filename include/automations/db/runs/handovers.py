"""What was done ahead of the orchestrator's tasks, for the scheduler to mark."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import delete, exists, func, insert, select
from sqlalchemy.orm import Session

from automations.db.queue.channels import Channel
from automations.db.tables import Handover

CHANNEL = "automations_handover"


def add(session: Session, run_id: str, marks: dict[str, Any]) -> int:
    """Add one, and tell whoever listens when this commits."""
    query = insert(Handover).values(run_id=run_id, marks=marks).returning(Handover.id)
    added = session.scalars(query).one()
    session.execute(select(func.pg_notify(CHANNEL, "")))
    return added


def is_there(session: Session, handover_id: int) -> bool:
    """Whether nobody has taken one yet."""
    return bool(session.scalar(select(exists().where(Handover.id == handover_id))))


def claim(session: Session, limit: int, but: Collection[int] = ()) -> Sequence[Handover]:
    """The oldest ones, locked for this transaction, but for those that others have locked.

    Args:
        but: ids of others that are left.
    """
    query = select(Handover).where(Handover.id.not_in(but)).order_by(Handover.id).limit(limit)
    return session.scalars(query.with_for_update(skip_locked=True)).all()


def remove(session: Session, ids: Sequence[int]) -> None:
    """Forget what has been taken."""
    session.execute(delete(Handover).where(Handover.id.in_(ids)))


@contextmanager
def listening() -> Iterator[Callable[[float], object]]:
    """Gives a function that waits for further ones, at most for some seconds."""
    with closing(Channel(CHANNEL)) as channel:
        yield channel.wait
