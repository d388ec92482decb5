"""The migrations make exactly the tables that the code describes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from automations.db import migrate
from automations.db.session import engine
from automations.db.tables import Base
from automations.domain.metrics import BOUNDS
from tests.conftest import Server

DESCRIBED = "described"

# Each as PostgreSQL itself writes it. Alembic sees neither CHECKs nor how a table is kept.
_TABLES = """
SELECT relname, relpersistence FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
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
    with engine(dsn).connect() as connection:
        rows = {tuple(row) for row in connection.execute(text(query))}
    return {row for row in rows if row[0] != "alembic_version"}


def test_alembic_finds_nothing_to_migrate(database: str) -> None:
    with engine(database).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
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


def test_a_migrated_database_is_current_and_migrating_again_changes_nothing(database: str) -> None:
    assert migrate.is_current(database)
    migrate.upgrade(database)
    assert migrate.is_current(database)
