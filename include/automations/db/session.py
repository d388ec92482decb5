"""Engines and units of work: one ``with`` block is one transaction."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import psycopg2
import psycopg2.extensions
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from automations.settings import get_settings

__all__ = ["Session", "dispose", "engine", "raw_connection", "unit_of_work"]


_used: set[str] = set()


@lru_cache(maxsize=4)
def _engine(dsn: str, _pid: int) -> Engine:
    return create_engine(
        dsn,
        pool_size=10,
        max_overflow=30,
        pool_pre_ping=True,
        connect_args={"application_name": "automations", "connect_timeout": 5},
    )


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


@contextmanager
def unit_of_work(dsn: str | None = None) -> Iterator[Session]:
    """A session whose transaction commits at the end of the block, or is undone by an error."""
    with Session(engine(dsn), expire_on_commit=False) as session, session.begin():
        yield session


def raw_connection() -> psycopg2.extensions.connection:
    """A connection of its own, outside the pool, for LISTEN."""
    url = engine().url.set(drivername="postgresql")
    return psycopg2.connect(url.render_as_string(hide_password=False), connect_timeout=5)
