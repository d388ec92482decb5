"""Mutual exclusion of processes, ended by PostgreSQL when its holder dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, select

from automations.db.session import engine


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold a lock on a name; waits for whoever holds it."""
    key = func.hashtextextended(name, 0)
    # Autocommit: a transaction kept open for the length of a step would hold back vacuum.
    with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(select(func.pg_advisory_lock(key)))
        try:
            yield
        finally:
            connection.execute(select(func.pg_advisory_unlock(key)))


@contextmanager
def try_exclusive(name: str) -> Iterator[bool]:
    """Hold a lock on a name if nobody else does; yields whether it was had."""
    key = func.hashtextextended(name, 0)
    with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        held = bool(connection.scalar(select(func.pg_try_advisory_lock(key))))
        try:
            yield held
        finally:
            if held:
                connection.execute(select(func.pg_advisory_unlock(key)))
