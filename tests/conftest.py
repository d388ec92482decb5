"""A real PostgreSQL for the session, and our database in it, empty for each test."""

from __future__ import annotations

import base64
import gc
import io
import secrets
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest
from hypothesis import HealthCheck, settings

from automations.db import migrate, session
from automations.launcher.postgres import EmbeddedPostgres
from tests.environment import Environment
from tests.free_ports import free_port
from tests.servers.model_provider import Provider

# The same examples each time, on however busy a machine; and others, to look for what these miss:
# --hypothesis-profile exploring. Beside each change a fifth of them finds what is wrong with most.
settings.register_profile("exploring", deadline=None, derandomize=False, database=None)
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("quick", parent=settings.get_profile("steady"), max_examples=20)
settings.load_profile("steady")

# As in the bridge: to look for garbage at each 700th new object takes a fifteenth of all the time.
gc.set_threshold(20_000, 20, 50)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several share the tests, let none be left alone with one that takes long at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Have what a test has logged go from its process to the one that tells it, whatever it is.

    That is sent in UTF-8, which half a character has no place in: the whole run would end with it.
    """
    report = yield
    report.sections = [(name, _encodable(said)) for name, said in report.sections]
    told = str(report.longrepr or "")
    if told != _encodable(told):
        report.longrepr = _encodable(told)
    return report


def _encodable(said: str) -> str:
    return said.encode("utf-8", "backslashreplace").decode()


DATABASE = "tests"

_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_EMPTY = """
DO $$
BEGIN
    SET LOCAL session_replication_role = replica;
    EXECUTE (
        SELECT string_agg('DELETE FROM ' || quote_ident(relname), '; ') FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND NOT relispartition AND relname <> 'alembic_version'
    );
    PERFORM setval(quote_ident(sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
END $$
"""


_FILLED = """
SELECT quote_ident(tablename) FROM pg_tables
WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""
_COUNTED = """
SELECT quote_ident(sequencename), last_value FROM pg_sequences
WHERE schemaname = 'public' AND last_value IS NOT NULL
"""

# The data are gone with the tests: nothing is waited for to be on a disk.
_IN_MEMORY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@dataclass(frozen=True, slots=True)
class Rows:
    """All that the tests' database holds, and what its sequences have come to."""

    tables: dict[str, bytes]
    sequences: list[tuple[str, int]]


class Server:
    """A PostgreSQL server with a migrated template, and a database made from it."""

    def __init__(self, embedded: EmbeddedPostgres) -> None:
        self.embedded = embedded
        # Kept from test to test: what a new connection has to learn takes longer than to empty.
        self._emptying: psycopg2.extensions.connection | None = None

    def dsn(self, database: str) -> str:
        server = self.embedded
        return f"postgresql+psycopg2://automations:{server.password}@127.0.0.1:{server.port}/{database}"

    def empty(self) -> None:
        """Make the tests' database as it was when it was new, in a few milliseconds."""
        try:
            with self._inside() as cursor:
                cursor.execute(_END_OTHERS)
                cursor.execute(_EMPTY)
        except psycopg2.Error:  # a test has changed the tables themselves, or ended the connection
            self.renew()

    def rows_of_all(self) -> Rows:
        """What the tests' database holds now."""
        tables = {}
        with self._inside() as cursor:
            cursor.execute(_FILLED)
            for (name,) in cursor.fetchall():
                rows = io.BytesIO()
                cursor.copy_expert(f"COPY (SELECT * FROM ONLY {name}) TO STDOUT", rows)
                if rows.tell():
                    tables[name] = rows.getvalue()
            cursor.execute(_COUNTED)
            return Rows(tables, cursor.fetchall())

    def put_back(self, rows: Rows) -> None:
        """Have it hold that again, when it is empty."""
        with self._inside() as cursor:
            cursor.execute("BEGIN; SET LOCAL session_replication_role = replica")
            for name, content in rows.tables.items():
                cursor.copy_expert(f"COPY {name} FROM STDIN", io.BytesIO(content))
            for name, value in rows.sequences:
                cursor.execute("SELECT setval(%s::regclass, %s)", (name, value))
            cursor.execute("COMMIT")

    def _inside(self) -> psycopg2.extensions.cursor:
        if self._emptying is None:
            self._emptying = self._connect(DATABASE)
        return self._emptying.cursor()

    def renew(self) -> None:
        """Make the tests' database anew, from the template."""
        self.close()
        self.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        self.run(f"CREATE DATABASE {DATABASE} TEMPLATE automations")

    def close(self) -> None:
        """Close the connection that is kept."""
        if self._emptying is not None:
            self._emptying.close()
            self._emptying = None

    def run(self, statement: str, database: str = "postgres") -> None:
        with closing(self._connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def rows(self, statement: str, database: str) -> list[tuple[Any, ...]]:
        """What a query of a database answers."""
        with closing(self._connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def _connect(self, database: str) -> psycopg2.extensions.connection:
        server = self.embedded
        connection: psycopg2.extensions.connection = psycopg2.connect(
            host="127.0.0.1",
            port=server.port,
            user="automations",
            password=server.password,
            dbname=database,
        )
        connection.autocommit = True
        return connection


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    embedded = EmbeddedPostgres(
        Path(tmp_path_factory.mktemp("postgres")) / "data",
        free_port(),
        secrets.token_hex(8),
        _IN_MEMORY,
    )
    embedded.start(timeout=300)
    try:
        embedded.ensure_databases()
        server = Server(embedded)
        # So that a password is proved in a moment: each test connects anew, and nobody attacks.
        password = embedded.password
        server.run(f"SET scram_iterations = 1; ALTER ROLE automations PASSWORD '{password}'")
        migrate.upgrade(server.dsn("automations"))
        session.dispose()
        server.renew()
        yield server
        server.close()
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
