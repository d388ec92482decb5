"""The databases of a stack, as whoever has its secrets reaches them."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import psycopg2

from tests.e2e.conftest import Stack


class Databases:
    """Ours, and Airflow's."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def dsn(self, database: str) -> str:
        """By its name: ``automations``, ``airflow``."""
        secrets = json.loads((self._stack.home / "secrets.json").read_text())
        password, port = secrets["postgres_password"], self._stack.postgres_port
        return f"postgresql://automations:{password}@127.0.0.1:{port}/{database}"

    def ask(self, database: str, query: str) -> list[Any]:
        """What one statement gives."""
        with closing(psycopg2.connect(self.dsn(database), connect_timeout=5)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(query)
                return list(cursor.fetchall())
