"""Locks between processes, which PostgreSQL releases when their holder dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from sqlalchemy import Connection, func, select, text

from automations.db.session import engine, translated_errors
from automations.errors import DatabaseUnavailable


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold a lock on a name; waits for whoever holds it.

    Raises:
        DatabaseUnavailable: it cannot be had now. One that is lost later is not told of.
    """
    key = func.hashtextextended(name, 0)
    with _connection() as connection:
        with translated_errors():
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
        with translated_errors():
            held = bool(connection.scalar(select(func.pg_try_advisory_lock(key))))
        try:
            yield held
        finally:
            if held:
                _unlock(connection, name)


class HandOverHandLock:
    """A lock that goes from name to name; the one before is kept until the next but one is had.

    Args:
        connect: opens the connection that holds it, once there is something to hold.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._held: list[str] = []

    def move(self, name: str) -> bool:
        """Have the lock on a name, if nobody else has; also not when it cannot be had now."""
        old = self._held[0] if len(self._held) > 1 else None
        query = _MOVE if old is not None else _TAKE
        try:
            if self._connection is None:
                self._connection = self._connect()
            with translated_errors():
                had = bool(self._connection.execute(query, {"new": name, "old": old}).scalar())
        except DatabaseUnavailable:
            return False
        # The one before is free, whether the next was had or not.
        self._held = [*self._held[-1:], *([name] if had else [])]
        return had

    def release(self) -> None:
        """Let go of all names."""
        # Of a connection that is lost, all are free.
        if self._connection is not None and not self._connection.invalidated:
            with suppress(DatabaseUnavailable), translated_errors():
                self._connection.execute(select(func.pg_advisory_unlock_all()))


_KEY = "hashtextextended(:{}, 0)"
_TAKE = text(f"SELECT pg_try_advisory_lock({_KEY.format('new')})")
_MOVE = text(
    f"SELECT pg_try_advisory_lock({_KEY.format('new')}), pg_advisory_unlock({_KEY.format('old')})"
)


@contextmanager
def moving() -> Iterator[HandOverHandLock]:
    """A lock that is on no name yet; all that it has been on is free afterwards."""
    with ExitStack() as stack:
        lock = HandOverHandLock(lambda: stack.enter_context(_connection()))
        try:
            yield lock
        finally:
            lock.release()


@contextmanager
def _connection() -> Iterator[Connection]:
    with translated_errors():
        connected = engine().connect()
    # Autocommit: a transaction kept open for the length of a step would hold back vacuum.
    with connected.execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


def _unlock(connection: Connection, name: str) -> None:
    key = func.hashtextextended(name, 0)
    # It went with its connection, then; what was done under it is done.
    with suppress(DatabaseUnavailable), translated_errors():
        connection.execute(select(func.pg_advisory_unlock(key)))
