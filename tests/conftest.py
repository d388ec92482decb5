"""A real PostgreSQL for the session, and our database in it, empty for each test."""

from __future__ import annotations

import base64
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from hypothesis import settings

from automations.db import migrate, session
from automations.launcher.postgres import EmbeddedPostgres
from tests.environment import Environment
from tests.model_provider import Provider

# A machine that is busy with something else makes no example wrong.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

DATABASE = "tests"

_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# Nothing is deleted where nothing is: most tests fill few of the tables.
_EMPTY = """
DO $$
DECLARE place text; filled boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR place IN
        SELECT quote_ident(tablename) FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || place || ')' INTO filled;
        IF filled THEN EXECUTE 'DELETE FROM ' || place; END IF;
    END LOOP;
    PERFORM setval(quote_ident(sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
END $$
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A PostgreSQL server with a migrated template, and a database made from it."""

    def __init__(self, embedded: EmbeddedPostgres) -> None:
        self.embedded = embedded

    def dsn(self, database: str) -> str:
        server = self.embedded
        return f"postgresql+psycopg2://automations:{server.password}@127.0.0.1:{server.port}/{database}"

    def empty(self) -> None:
        """Make the tests' database as it was when it was new, in a few milliseconds."""
        try:
            self.run(_END_OTHERS, DATABASE)
            self.run(_EMPTY, DATABASE)
        except psycopg2.Error:  # a test has changed the tables themselves
            self.renew()

    def renew(self) -> None:
        """Make the tests' database anew, from the template."""
        self.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        self.run(f"CREATE DATABASE {DATABASE} TEMPLATE automations")

    def run(self, statement: str, database: str = "postgres") -> None:
        server = self.embedded
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=server.port,
            user="automations",
            password=server.password,
            dbname=database,
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
        server.renew()
        yield server
    finally:
        session.dispose()
        embedded.stop()


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Nothing that one test's environment led to is met by the next."""
    yield
    Environment.forget()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Sets variables of the environment for a test."""
    return Environment(monkeypatch)


@pytest.fixture
def database(postgres: Server, environment: Environment) -> Iterator[str]:
    """An empty, migrated database that the settings point to."""
    dsn = postgres.dsn(DATABASE)
    environment.set(
        AUTOMATIONS_DATABASE_DSN=dsn,
        # What starlette's TestClient calls the server.
        AUTOMATIONS_ALLOWED_HOSTS="testserver",
        AUTOMATIONS_ENCRYPTION_KEY=base64.urlsafe_b64encode(bytes(32)).decode(),
    )
    try:
        yield dsn
    finally:
        session.dispose()
        postgres.empty()


@pytest.fixture
def provider() -> Iterator[Provider]:
    found = Provider()
    with found.listening():
        yield found
