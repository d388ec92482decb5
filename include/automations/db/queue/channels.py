"""Listens to PostgreSQL's notifications."""

from __future__ import annotations

from select import select

import psycopg2

from automations.db.session import raw_connection
from automations.errors import DatabaseUnavailable


class Channel:
    """A connection of its own that hears what is told on a channel.

    Raises:
        DatabaseUnavailable: as does ``wait``; it is of no use any more then.
    """

    def __init__(self, name: str) -> None:
        try:
            self._connection = raw_connection()
            self._connection.autocommit = True
            with self._connection.cursor() as cursor:
                cursor.execute(f"LISTEN {name}")
        except psycopg2.Error as lost:
            raise DatabaseUnavailable from lost

    def wait(self, seconds: float) -> list[str]:
        """Wait until something is told, or was since the last time; at most for some seconds.

        Returns:
            What was told.
        """
        if not select([self._connection], [], [], seconds)[0]:
            return []
        try:
            self._connection.poll()
        except psycopg2.Error as lost:
            raise DatabaseUnavailable from lost
        payloads = [notice.payload for notice in self._connection.notifies]
        self._connection.notifies.clear()
        return payloads

    def close(self) -> None:
        self._connection.close()
