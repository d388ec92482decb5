"""What processes have done ahead of the orchestrator's tasks, and who is told of it."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import delete, exists, func, insert
from sqlalchemy import select as choose
from sqlalchemy.orm import Session

from automations.db.session import raw_connection
from automations.db.tables import Handover

CHANNEL = "automations_handover"


def add(session: Session, run_id: str, marks: dict[str, Any]) -> int:
    """Add one, and tell whoever listens when this commits."""
    query = insert(Handover).values(run_id=run_id, marks=marks).returning(Handover.id)
    added = session.scalars(query).one()
    session.execute(choose(func.pg_notify(CHANNEL, "")))
    return added


def is_there(session: Session, handover_id: int) -> bool:
    """Whether nobody has taken one yet."""
    return bool(session.scalar(choose(exists().where(Handover.id == handover_id))))


def claim(session: Session, limit: int) -> Sequence[Handover]:
    """The oldest ones, locked for this transaction, but for those that others have locked."""
    query = choose(Handover).order_by(Handover.id).limit(limit)
    return session.scalars(query.with_for_update(skip_locked=True)).all()


def remove(session: Session, ids: Sequence[int]) -> None:
    """Forget what has been taken."""
    session.execute(delete(Handover).where(Handover.id.in_(ids)))


@contextmanager
def listening() -> Iterator[Callable[[float], None]]:
    """Gives a function that waits for further ones, at most for some seconds."""
    with closing(raw_connection()) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")

        def wait(seconds: float) -> None:
            if select.select([connection], [], [], seconds)[0]:
                connection.poll()
                connection.notifies.clear()

        yield wait
