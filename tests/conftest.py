"""A real PostgreSQL for the session, and an empty database of ours for each test."""

from __future__ import annotations

import base64
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from automations.db import migrate, session
from automations.launcher.postgres import EmbeddedPostgres
from automations.settings import get_settings

ENCRYPTION_KEY = "J2vbYdLZ7xLh0vfHfPz1JxQd0q3v4mVwq9a0o2m8r1E="


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A PostgreSQL server that makes databases from a migrated template."""

    def __init__(self, embedded: EmbeddedPostgres) -> None:
        self.embedded = embedded

    def dsn(self, database: str) -> str:
        server = self.embedded
        return f"postgresql+psycopg2://automations:{server.password}@127.0.0.1:{server.port}/{database}"

    def run(self, statement: str) -> None:
        server = self.embedded
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=server.port,
            user="automations",
            password=server.password,
            dbname="postgres",
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    embedded = EmbeddedPostgres(
        Path(tmp_path_factory.mktemp("postgres")) / "data", free_port(), secrets.token_hex(8)
    )
    embedded.start()
    try:
        embedded.ensure_databases()
        server = Server(embedded)
        migrate.upgrade(server.dsn("automations"))
        session.dispose()
        yield server
    finally:
        session.dispose()
        embedded.stop()


@pytest.fixture
def database(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty, migrated database that the settings point to."""
    name = f"test_{secrets.token_hex(6)}"
    postgres.run(f"CREATE DATABASE {name} TEMPLATE automations")
    monkeypatch.setenv("AUTOMATIONS_ENCRYPTION_KEY", ENCRYPTION_KEY)
    monkeypatch.setenv("AUTOMATIONS_DATABASE_DSN", postgres.dsn(name))
    monkeypatch.setenv("AUTOMATIONS_ENCRYPTION_KEY", base64.urlsafe_b64encode(bytes(32)).decode())
    get_settings.cache_clear()
    try:
        yield postgres.dsn(name)
    finally:
        session.dispose()
        get_settings.cache_clear()
        postgres.run(f"DROP DATABASE {name} WITH (FORCE)")
