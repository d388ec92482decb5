"""Mutual exclusion of processes, ended by PostgreSQL when its holder dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, func, select

from automations.db.session import engine, told
from automations.errors import DatabaseUnavailable


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold a lock on a name; waits for whoever holds it.

    Raises:
        DatabaseUnavailable: it cannot be had now. One that is lost later is not told of.
    """
    key = func.hashtextextended(name, 0)
    with _connection() as connection:
        with told():
            connection.execute(select(func.pg_advisory_lock(key)))
        try:
            yield
        finally:
            _unlock(connection, name)


@contextmanager
def try_exclusive(name: str) -> Iterator[bool]:
    """Hold a lock on a name if nobody else does; yields whether it was had.

    Raises:
        DatabaseUnavailable: as ``exclusive``.
    """
    key = func.hashtextextended(name, 0)
    with _connection() as connection:
        with told():
            held = bool(connection.scalar(select(func.pg_try_advisory_lock(key))))
        try:
            yield held
        finally:
            if held:
                _unlock(connection, name)


@contextmanager
def _connection() -> Iterator[Connection]:
    with told():
        connected = engine().connect()
    # Autocommit: a transaction kept open for the length of a step would hold back vacuum.
    with connected.execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


def _unlock(connection: Connection, name: str) -> None:
    key = func.hashtextextended(name, 0)
    # It went with its connection, then; what was done under it is done.
    with suppress(DatabaseUnavailable), told():
        connection.execute(select(func.pg_advisory_unlock(key)))
