"""Engines and units of work: one ``with`` block is one transaction."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg2
import psycopg2.extensions
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import Session

from automations.settings import get_settings

__all__ = [
    "Session",
    "dispose",
    "engine",
    "raw_connection",
    "reading",
    "statement",
    "unit_of_work",
]

_TRUSTED_FOR = 1.0
"""Seconds for which a connection that was just used needs no test before it is used again."""

_used: set[str] = set()


@lru_cache(maxsize=4)
def _engine(dsn: str, _pid: int) -> Engine:
    made = create_engine(
        dsn,
        pool_size=10,
        max_overflow=30,
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
    return _engine(chosen, os.getpid())


def dispose() -> None:
    """Close this process's pooled connections."""
    for dsn in list(_used):
        _engine(dsn, os.getpid()).dispose()
    _used.clear()
    _engine.cache_clear()
    _autocommit.cache_clear()


@contextmanager
def unit_of_work(dsn: str | None = None) -> Iterator[Session]:
    """A session whose transaction commits at the end of the block, or is undone by an error."""
    with Session(engine(dsn), expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def statement(dsn: str | None = None) -> Iterator[Connection]:
    """A bare connection for one plain statement that each request makes; it commits by itself."""
    with _autocommit(engine(dsn)).connect() as connection:
        yield connection


@contextmanager
def reading(dsn: str | None = None) -> Iterator[Session]:
    """A session that only reads: each query by itself, which saves the frame of a transaction."""
    with Session(_autocommit(engine(dsn)), expire_on_commit=False, autoflush=False) as session:
        yield session


def raw_connection() -> psycopg2.extensions.connection:
    """A connection of its own, outside the pool, for LISTEN."""
    url = engine().url.set(drivername="postgresql")
    return psycopg2.connect(url.render_as_string(hide_password=False), connect_timeout=5)
