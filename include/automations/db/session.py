"""Engines and units of work: one ``with`` block is one transaction."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import psycopg2
import psycopg2.extensions
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from automations.errors import DatabaseRefused, DatabaseUnavailable
from automations.kit import common_clock, json_text
from automations.settings import get_settings

__all__ = [
    "RawConnection",
    "Session",
    "SharedTransaction",
    "dispose",
    "engine",
    "raw_connection",
    "reading",
    "statement",
    "sync_clock",
    "together",
    "translated_errors",
    "undone",
    "unit_of_work",
]

RawConnection = psycopg2.extensions.connection
"""A connection of the driver's own, outside of any session."""
_CONNECTING: dict[str, Any] = {
    "connect_timeout": 5,
    # Each side notices within a minute, not after two hours, that the other one's machine is gone:
    # others wait for the locks by which a holder is known to live.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
_SERVER_KEEPALIVES = """
SELECT set_config('tcp_keepalives_idle', '30', false),
    set_config('tcp_keepalives_interval', '10', false),
    set_config('tcp_keepalives_count', '3', false), clock_timestamp()
"""
_TIME = "SELECT clock_timestamp()"

_PING_AFTER = 1.0
"""Seconds since its last use after which a pooled connection is tested before it is used again."""

_UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeout)
"""Errors of SQLAlchemy that mean that the database is away, restarting or overloaded."""

_READ_ONLY = "25006"
"""PostgreSQL's error code for a write to a server that another one is about to take over from."""

_used: set[str] = set()
_stage: ContextVar[Connection | None] = ContextVar("stage", default=None)
"""The connection whose transaction this thread's units of work are parts of."""


@lru_cache(maxsize=4)
def _engine(dsn: str) -> Engine:
    new_engine = _create_engine(dsn, pool_size=10, max_overflow=30)
    event.listen(new_engine, "checkin", _note_use)

    def test_idle(connection: Any, record: Any, proxy: Any) -> None:
        used = record.info.get("used")
        is_trusted = used is None or time.monotonic() - used < _PING_AFTER
        if is_trusted and not common_clock.is_stale():
            return
        try:
            _ask(connection, _TIME)
        except psycopg2.Error as lost:
            # Has the pool replace this connection, and all that are as old.
            raise InvalidatePoolError from lost

    event.listen(new_engine, "checkout", test_idle)
    return new_engine


@lru_cache(maxsize=4)
def _unpooled_engine(dsn: str) -> Engine:
    return _create_engine(dsn, poolclass=NullPool)


def _create_engine(dsn: str, **pool: Any) -> Engine:
    new_engine = create_engine(
        dsn,
        use_native_hstore=False,
        # Errors must not contain what users have sent us.
        hide_parameters=True,
        json_deserializer=json_text.parse_stored,
        connect_args={"application_name": "automations", **_CONNECTING},
        **pool,
    )
    event.listen(new_engine, "connect", lambda connection, _: _enable_keepalives(connection))
    # SQLAlchemy's own implementation tells the server of each change, and of the change back.
    new_engine.dialect.set_isolation_level = _commit_by_itself  # type: ignore[assignment,method-assign]
    return new_engine


def _commit_by_itself(connection: Any, level: str) -> None:
    connection.autocommit = level == "AUTOCOMMIT"


def _enable_keepalives(connection: RawConnection) -> None:
    """Have the server, too, check whether this end of the connection is alive."""
    _ask(connection, _SERVER_KEEPALIVES)


def _ask(connection: RawConnection, query: str) -> None:
    """Run a query whose last column is the server's time, and note that; in autocommit mode."""
    before, connection.autocommit = connection.autocommit, True
    question = common_clock.Question()
    with connection.cursor() as cursor:
        cursor.execute(query)
        (answer,) = cursor.fetchall()
    question.record_answer(answer[-1])
    connection.autocommit = before


@lru_cache(maxsize=4)
def _autocommit(base_engine: Engine) -> Engine:
    return base_engine.execution_options(isolation_level="AUTOCOMMIT")


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def engine(dsn: str | None = None) -> Engine:
    """This process's engine; a forked process never shares its parent's connections."""
    chosen = dsn or get_settings().dsn
    _used.add(chosen)
    return _engine(chosen)


def dispose() -> None:
    """Close this process's pooled connections, and keep the cache of compiled statements."""
    for dsn in _used:
        _engine(dsn).dispose()
    _used.clear()


def _leave_to_parent() -> None:
    for dsn in _used:
        _engine(dsn).dispose(close=False)


# A fork keeps its parent's compiled statements and knowledge of the server, which cost time to get.
os.register_at_fork(after_in_child=_leave_to_parent)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translate errors of the driver into ours, which say whether trying again later may help.

    Raises:
        DatabaseUnavailable: it may.
        DatabaseRefused: the database does not accept the statement.
    """
    try:
        yield
    except _UNAVAILABLE as lost:
        raise DatabaseUnavailable from lost
    except DBAPIError as error:
        # A connection that breaks in the middle of an answer raises an error without a code.
        if error.connection_invalidated or getattr(error.orig, "pgcode", None) == _READ_ONLY:
            raise DatabaseUnavailable from error
        kind = type(error.orig).__name__
        raise DatabaseRefused(f"The database refused a statement: {kind}.") from error


@contextmanager
def unit_of_work(dsn: str | None = None, *, apart: bool = False) -> Iterator[Session]:
    """A session whose transaction commits at the end of the block, or is undone by an error.

    Args:
        apart: whether it commits by itself even where a ``SharedTransaction`` was joined.

    Raises:
        DatabaseUnavailable: the database cannot be used now.
    """
    bind = (None if apart else _stage.get()) or engine(dsn)
    with (
        translated_errors(),
        Session(bind, expire_on_commit=False, join_transaction_mode="create_savepoint") as session,
        session.begin(),
    ):
        yield session


class SharedTransaction:
    """A transaction that several units of work share, one after the other, in any threads.

    They commit together or not at all, and each sees what those before it wrote.

    Args:
        pooled: whether it takes a connection of the pool; too few are there for long transactions.

    Raises:
        DatabaseUnavailable: the database cannot be used now; so do its methods.
    """

    def __init__(self, *, pooled: bool = True) -> None:
        source = engine() if pooled else _unpooled_engine(get_settings().dsn)
        with translated_errors():
            self._connection = source.connect()
            self._transaction = self._connection.begin()

    @contextmanager
    def join(self) -> Iterator[None]:
        """Have the units of work in the block join it, even in threads that start from there."""
        token = _stage.set(self._connection)
        try:
            yield
        finally:
            _stage.reset(token)

    def commit(self) -> None:
        """Commit it, and give its connection back."""
        try:
            with translated_errors():
                self._transaction.commit()
        finally:
            self.close()

    def close(self) -> None:
        """Undo what is not committed, and give its connection back."""
        self._connection.close()


@contextmanager
def together() -> Iterator[None]:
    """Commit, at the end of the block, all or none of what this thread's units of work did."""
    transaction = SharedTransaction()
    try:
        with transaction.join():
            yield
        transaction.commit()
    finally:
        transaction.close()


@contextmanager
def undone() -> Iterator[None]:
    """Roll back, at the end of the block, whatever this thread's units of work in it did."""
    transaction = SharedTransaction()
    try:
        with transaction.join():
            yield
    finally:
        transaction.close()


@contextmanager
def statement(dsn: str | None = None) -> Iterator[Connection]:
    """A bare connection in autocommit mode, for single statements that every request makes.

    Raises:
        DatabaseUnavailable: the database cannot be used now.
    """
    if (stage := _stage.get()) is not None:
        with translated_errors(), stage.begin_nested():
            yield stage
        return
    with translated_errors(), _autocommit(engine(dsn)).connect() as connection:
        yield connection


@contextmanager
def reading(dsn: str | None = None) -> Iterator[Session]:
    """A session that only reads, in autocommit mode, which saves BEGIN and COMMIT.

    Raises:
        DatabaseUnavailable: the database cannot be used now.
    """
    bind = _stage.get() or _autocommit(engine(dsn))
    with (
        translated_errors(),
        Session(
            bind,
            expire_on_commit=False,
            autoflush=False,
            join_transaction_mode="create_savepoint",
        ) as session,
    ):
        yield session


def sync_clock() -> None:
    """Read the database's clock again, if our knowledge of it is stale.

    Raises:
        DatabaseUnavailable: the database cannot be used now.
    """
    if common_clock.is_stale():
        with translated_errors(), engine().connect():
            pass


def raw_connection() -> RawConnection:
    """A connection of its own, outside the pool, for LISTEN."""
    url = engine().url.set(drivername="postgresql")
    dsn = url.render_as_string(hide_password=False)
    connection: RawConnection = psycopg2.connect(dsn, **_CONNECTING)
    _enable_keepalives(connection)
    return connection
