"""The migrations make exactly the tables that the code describes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from automations.db import migrate, session
from automations.db.partitions import is_part
from automations.db.session import engine
from automations.db.tables import Base
from automations.domain.metrics import BOUNDS
from automations.launcher.setup import SetupError, _upgrade
from automations.launcher.status import report
from automations.settings import get_settings
from tests.conftest import Server

DESCRIBED = "described"

# Each as PostgreSQL itself writes it. Alembic sees neither CHECKs nor how a table is kept.
_TABLES = """
SELECT relname, relpersistence, pg_get_partkeydef(oid) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
"""
_COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity,
    identity_generation, identity_start, identity_minimum, collation_name
FROM information_schema.columns WHERE table_schema = 'public'
"""
_CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""
_INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"


@pytest.fixture
def described(postgres: Server) -> Iterator[str]:
    """A database whose tables SQLAlchemy has made from the models."""
    postgres.run(f"CREATE DATABASE {DESCRIBED}")
    dsn = postgres.dsn(DESCRIBED)
    try:
        with engine(dsn).begin() as connection:
            Base.metadata.create_all(connection)
        yield dsn
    finally:
        engine(dsn).dispose()
        postgres.run(f"DROP DATABASE {DESCRIBED} WITH (FORCE)")


def found(dsn: str, query: str) -> set[tuple[object, ...]]:
    """What there is, but for parts of tables, which are made while it runs."""
    with engine(dsn).connect() as connection:
        rows = {tuple(row) for row in connection.execute(text(query))}
    return {row for row in rows if row[0] != "alembic_version" and not is_part(str(row[0]))}


def test_alembic_finds_nothing_to_migrate(database: str) -> None:
    with engine(database).connect() as connection:
        opts = {
            "compare_server_default": True,
            "include_name": lambda name, kind, _: kind != "table" or not is_part(name),
        }
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize(
    "query",
    [_TABLES, _COLUMNS, _CONSTRAINTS, _INDEXES],
    ids=["tables", "columns", "constraints", "indexes"],
)
def test_the_migrations_make_what_the_models_describe(
    database: str, described: str, query: str
) -> None:
    wanted = found(described, query)
    assert wanted
    assert found(database, query) == wanted


def test_the_database_sorts_durations_into_the_buckets_that_metrics_name(database: str) -> None:
    source = "SELECT prosrc FROM pg_proc WHERE proname = 'counter_steps'"
    [(body,)] = found(database, source)
    milliseconds = [round(bound * 1000) for bound in BOUNDS]
    assert f"ARRAY{milliseconds}" in str(body)


def test_migrations_are_read_once_however_often_it_is_asked_whether_they_are_done(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert migrate.is_current(database)
    monkeypatch.delattr(ScriptDirectory, "from_config")
    assert migrate.is_current(database)


def test_a_migrated_database_is_current_and_migrating_again_changes_nothing(database: str) -> None:
    assert migrate.is_current(database)
    migrate.upgrade(database)
    assert migrate.is_current(database)


CHANGES = {
    "older": (
        "UPDATE alembic_version SET version_num = '0000'",
        "older than this code .* ./automations migrate brings it up to date",
    ),
    "newer": (
        "UPDATE alembic_version SET version_num = 'f00d'",
        "newer than this code, which does not know its revision f00d",
    ),
    "empty": ("DROP TABLE alembic_version", "no tables yet: ./automations migrate makes them"),
    "between": ("ALTER TABLE wait DROP COLUMN question", r"it has no wait\.question"),
}


@pytest.fixture
def changed(postgres: Server, database: str) -> Iterator[str]:
    """A database that tests may spoil."""
    try:
        yield database
    finally:
        session.dispose()
        postgres.renew()


@pytest.mark.parametrize("change", ["newer", "empty", "between"])
def test_of_a_database_that_does_not_fit_the_code_status_says_so_and_what_to_do(
    changed: str, change: str
) -> None:
    statement, words = CHANGES[change]
    with engine(changed).begin() as connection:
        connection.execute(text(statement))
    answer = report(get_settings())
    assert re.search(words, str(answer["database"]))
    assert answer["heldUp"] is None


def test_one_of_an_earlier_release_is_told_to_be_migrated(
    changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement, words = CHANGES["older"]
    with engine(changed).begin() as connection:
        connection.execute(text(statement))
    # There was no earlier release yet.
    monkeypatch.setattr(migrate, "knows", lambda revision: revision == "0000")
    assert re.search(words, str(migrate.fault(changed)))


@pytest.mark.parametrize("change", ["newer", "between"])
def test_one_that_cannot_be_brought_up_to_date_stops_what_would_use_it(
    changed: str, change: str
) -> None:
    statement, words = CHANGES[change]
    with engine(changed).begin() as connection:
        connection.execute(text(statement))
    with pytest.raises(SetupError, match=words):
        _upgrade(changed)


def test_a_database_that_fits_has_no_fault(database: str) -> None:
    assert migrate.fault(database) is None
    assert report(get_settings())["database"] is None
