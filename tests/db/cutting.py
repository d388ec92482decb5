"""Does something at the moment of one statement, or commit, of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
from sqlalchemy import Connection, event

from automations.db.session import engine, raw_connection


class Killed(BaseException):
    """Ends a process where it stands, as far as the database sees."""


@contextmanager
def at(position: int, act: Callable[[Connection], None]) -> Iterator[list[int]]:
    """Do something before the statement, or commit, of this number.

    Yields:
        a list that has the number when it came to that.
    """
    counted = 0
    done: list[int] = []

    def count(connection: Connection) -> None:
        nonlocal counted
        counted += 1
        if counted == position:
            done.append(position)
            act(connection)

    def before(connection: Connection, *_: Any) -> None:
        count(connection)

    event.listen(engine(), "before_cursor_execute", before)
    event.listen(engine(), "commit", count)
    try:
        yield done
    finally:
        event.remove(engine(), "before_cursor_execute", before)
        event.remove(engine(), "commit", count)


@contextmanager
def killed_at(position: int) -> Iterator[list[int]]:
    """Kill the process in the block before the statement, or commit, of this number."""

    def kill(_: Connection) -> None:
        raise Killed

    with at(position, kill) as done, suppress(Killed):
        yield done


def cut_off(connection: Connection) -> None:
    """End the server's side of a connection."""
    terminate(connection.connection.dbapi_connection.info.backend_pid)  # type: ignore[union-attr]


def terminate(pid: int) -> None:
    """End a server process."""
    other: psycopg2.extensions.connection = raw_connection()
    try:
        other.autocommit = True
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    finally:
        other.close()
