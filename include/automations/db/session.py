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
from automations.kit import common_clock
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
    "translated_errors",
    "undone",
    "unit_of_work",
]

RawConnection = psycopg2.extensions.connection
"""One that is no part of a session: of the driver's own."""
_CONNECTING: dict[str, Any] = {
    "connect_timeout": 5,
    # Each side notices within a minute that the other one's machine is gone, not after two hours:
    # locks, by which holders are known to live, are waited for.
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
"""Seconds for which a connection that was just used needs no test before it is used again."""

_UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeout)
"""What SQLAlchemy says of a database that is away, restarting or overloaded."""

_READ_ONLY = "25006"
"""What PostgreSQL says of a write while another server has not yet taken over from this one."""

_used: set[str] = set()
_stage: ContextVar[Connection | None] = ContextVar("stage", default=None)
"""The connection whose transaction this thread's units of work are parts of."""


@lru_cache(maxsize=4)
def _engine(dsn: str) -> Engine:
    made = _made(dsn, pool_size=10, max_overflow=30)
    event.listen(made, "checkin", _note_use)

    def test_idle(connection: Any, record: Any, proxy: Any) -> None:
        used = record.info.get("used")
        is_trusted = used is None or time.monotonic() - used < _PING_AFTER
        if is_trusted and not common_clock.is_stale():
            return
        try:
            _ask(connection, _TIME)
        except psycopg2.Error as lost:
            # The pool then replaces this one, and all that are as old.
            raise InvalidatePoolError from lost

    event.listen(made, "checkout", test_idle)
    return made


@lru_cache(maxsize=4)
def _unpooled(dsn: str) -> Engine:
    return _made(dsn, poolclass=NullPool)


def _made(dsn: str, **pool: Any) -> Engine:
    made = create_engine(
        dsn,
        use_native_hstore=False,
        # What users have given us stands in no error.
        hide_parameters=True,
        connect_args={"application_name": "automations", **_CONNECTING},
        **pool,
    )
    event.listen(made, "connect", lambda connection, _: _enable_keepalives(connection))
    # By SQLAlchemy's own way the server is told of each change and of the change back.
    made.dialect.set_isolation_level = _commit_by_itself  # type: ignore[assignment,method-assign]
    return made


def _commit_by_itself(connection: Any, level: str) -> None:
    connection.autocommit = level == "AUTOCOMMIT"


def _enable_keepalives(connection: RawConnection) -> None:
    """Have the server, too, see whether this end of a connection is there."""
    _ask(connection, _SERVER_KEEPALIVES)


def _ask(connection: RawConnection, query: str) -> None:
    """Ask what ends with the server's time, outside of a transaction, and note that."""
    before, connection.autocommit = connection.autocommit, True
    question = common_clock.Question()
    with connection.cursor() as cursor:
        cursor.execute(query)
        (answer,) = cursor.fetchall()
    question.answered(answer[-1])
    connection.autocommit = before


@lru_cache(maxsize=4)
def _autocommit(made: Engine) -> Engine:
    return made.execution_options(isolation_level="AUTOCOMMIT")


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def engine(dsn: str | None = None) -> Engine:
    """This process's engine; a fork never shares its parent's connections."""
    chosen = dsn or get_settings().dsn
    _used.add(chosen)
    return _engine(chosen)


def dispose() -> None:
    """Close this process's pooled connections; what was compiled for them is kept."""
    for dsn in _used:
        _engine(dsn).dispose()
    _used.clear()


def _leave_to_parent() -> None:
    for dsn in _used:
        _engine(dsn).dispose(close=False)


# A fork keeps what its parent has compiled and learned of the server, which takes long to do anew.
os.register_at_fork(after_in_child=_leave_to_parent)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Say of what the database comes to whether it may come to more later.

    Raises:
        DatabaseUnavailable: it cannot be used now.
        DatabaseRefused: it does not take what it is told.
    """
    try:
        yield
    except _UNAVAILABLE as lost:
        raise DatabaseUnavailable from lost
    except DBAPIError as error:
        # A connection that ends in the middle of an answer is an error without a kind.
        if error.connection_invalidated or getattr(error.orig, "pgcode", None) == _READ_ONLY:
            raise DatabaseUnavailable from error
        kind = type(error.orig).__name__
        raise DatabaseRefused(f"The database refused a statement: {kind}.") from error


@contextmanager
def unit_of_work(dsn: str | None = None, *, apart: bool = False) -> Iterator[Session]:
    """A session whose transaction commits at the end of the block, or is undone by an error.

    Args:
        apart: whether it commits by itself also where a ``SharedTransaction`` was joined.

    Raises:
        DatabaseUnavailable: it could not be done now.
    """
    bind = (None if apart else _stage.get()) or engine(dsn)
    with (
        translated_errors(),
        Session(bind, expire_on_commit=False, join_transaction_mode="create_savepoint") as session,
        session.begin(),
    ):
        yield session


class SharedTransaction:
    """A transaction of which units of work are parts, one after the other, in whichever threads.

    All of them commit together, or none does; what one reads, those before it have written.

    Args:
        pooled: whether its connection is one of the pool's, which are few: not for what lasts.

    Raises:
        DatabaseUnavailable: it cannot be begun now; so does all that uses it.
    """

    def __init__(self, *, pooled: bool = True) -> None:
        source = engine() if pooled else _unpooled(get_settings().dsn)
        with translated_errors():
            self._connection = source.connect()
            self._transaction = self._connection.begin()

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Have the units of work in the block be parts of it, also in threads begun from there."""
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
def undone() -> Iterator[None]:
    """Undo, at the end of the block, whatever this thread's units of work in it have done."""
    transaction = SharedTransaction()
    try:
        with transaction.joined():
            yield
    finally:
        transaction.close()


@contextmanager
def statement(dsn: str | None = None) -> Iterator[Connection]:
    """A bare connection for one plain statement that each request makes; it commits by itself.

    Raises:
        DatabaseUnavailable: it could not be done now.
    """
    if (stage := _stage.get()) is not None:
        with translated_errors(), stage.begin_nested():
            yield stage
        return
    with translated_errors(), _autocommit(engine(dsn)).connect() as connection:
        yield connection


@contextmanager
def reading(dsn: str | None = None) -> Iterator[Session]:
    """A session that only reads: each query by itself, which saves the frame of a transaction.

    Raises:
        DatabaseUnavailable: it could not be done now.
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
    """See what time it is by the database's clock, where that may not be known any more.

    Raises:
        DatabaseUnavailable: it cannot be seen now.
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
