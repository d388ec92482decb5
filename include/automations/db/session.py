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
from sqlalchemy.exc import InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from automations.errors import DatabaseUnavailable
from automations.settings import get_settings

__all__ = [
    "Session",
    "dispose",
    "engine",
    "raw_connection",
    "reading",
    "statement",
    "undone",
    "unit_of_work",
]

_TRUSTED_FOR = 1.0
"""Seconds for which a connection that was just used needs no test before it is used again."""

_UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeout)
"""What SQLAlchemy says of a database that is away, restarting or overloaded."""

_used: set[str] = set()
_stage: ContextVar[Connection | None] = ContextVar("stage", default=None)


@lru_cache(maxsize=4)
def _engine(dsn: str) -> Engine:
    made = create_engine(
        dsn,
        pool_size=10,
        max_overflow=30,
        use_native_hstore=False,
        connect_args={"application_name": "automations", "connect_timeout": 5},
    )
    event.listen(made, "checkin", _note_use)

    def test_idle(connection: Any, record: Any, proxy: Any) -> None:
        used = record.info.get("used")
        if used is None or time.monotonic() - used < _TRUSTED_FOR:
            return
        try:
            made.dialect.do_ping(connection)
        except psycopg2.Error as lost:
            # The pool then replaces this one, and all that are as old.
            raise InvalidatePoolError from lost

    event.listen(made, "checkout", test_idle)
    return made


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
    """Close this process's pooled connections."""
    for dsn in list(_used):
        _engine(dsn).dispose()
    _used.clear()
    _engine.cache_clear()
    _autocommit.cache_clear()


def _leave_to_parent() -> None:
    for dsn in _used:
        _engine(dsn).dispose(close=False)


# A fork keeps what its parent has compiled and learned of the server, which takes long to do anew.
os.register_at_fork(after_in_child=_leave_to_parent)


@contextmanager
def unit_of_work(dsn: str | None = None) -> Iterator[Session]:
    """A session whose transaction commits at the end of the block, or is undone by an error.

    Raises:
        DatabaseUnavailable: it could not be done now.
    """
    bind = _stage.get() or engine(dsn)
    try:
        with (
            Session(
                bind, expire_on_commit=False, join_transaction_mode="create_savepoint"
            ) as session,
            session.begin(),
        ):
            yield session
    except _UNAVAILABLE as lost:
        raise DatabaseUnavailable from lost


@contextmanager
def undone() -> Iterator[None]:
    """Undo, at the end of the block, whatever this thread's units of work in it have done."""
    with engine().connect() as connection, connection.begin() as transaction:
        token = _stage.set(connection)
        try:
            yield
        finally:
            _stage.reset(token)
            transaction.rollback()


@contextmanager
def statement(dsn: str | None = None) -> Iterator[Connection]:
    """A bare connection for one plain statement that each request makes; it commits by itself.

    Raises:
        DatabaseUnavailable: it could not be done now.
    """
    try:
        with _autocommit(engine(dsn)).connect() as connection:
            yield connection
    except _UNAVAILABLE as lost:
        raise DatabaseUnavailable from lost


@contextmanager
def reading(dsn: str | None = None) -> Iterator[Session]:
    """A session that only reads: each query by itself, which saves the frame of a transaction.

    Raises:
        DatabaseUnavailable: it could not be done now.
    """
    try:
        with Session(_autocommit(engine(dsn)), expire_on_commit=False, autoflush=False) as session:
            yield session
    except _UNAVAILABLE as lost:
        raise DatabaseUnavailable from lost


def raw_connection() -> psycopg2.extensions.connection:
    """A connection of its own, outside the pool, for LISTEN."""
    url = engine().url.set(drivername="postgresql")
    return psycopg2.connect(url.render_as_string(hide_password=False), connect_timeout=5)
