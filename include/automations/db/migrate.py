"""Migrates our database to the newest schema."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from automations.db import partitions
from automations.db.session import engine, unit_of_work
from automations.db.tables import Base

_LOCK = 0x6175746F
_COLUMNS = text(
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
)


def _config(dsn: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["dsn"] = dsn
    return config


def is_current(dsn: str) -> bool:
    """Whether the schema is the newest one."""
    with unit_of_work(dsn) as session:
        current = MigrationContext.configure(session.connection()).get_current_revision()
    return current == _head()


@cache
def _head() -> str | None:
    """The newest schema that this code knows, whose migrations are read once: it takes a while."""
    return ScriptDirectory.from_config(_config("")).get_current_head()


def fault(dsn: str) -> str | None:
    """Why a database is none that this code can work with, and what to do, in words.

    Raises:
        DatabaseUnavailable: it does not answer.
    """
    with unit_of_work(dsn) as session:
        revision = MigrationContext.configure(session.connection()).get_current_revision()
        existing = {tuple(row) for row in session.execute(_COLUMNS)}
    if revision is None:
        return "The database has no tables yet: ./automations migrate makes them."
    if not knows(revision):
        return (
            f"The database is newer than this code, which does not know its revision {revision}: "
            "use the release that has made it."
        )
    if revision != _head():
        return (
            f"The database is older than this code (its revision is {revision}): "
            "./automations migrate brings it up to date."
        )
    lacking = {
        (table.name, column.name) for table in Base.metadata.sorted_tables for column in table.c
    } - existing
    if not lacking:
        return None
    table, column = min(lacking)
    return (
        f"The database is of a state of this code that was never released (it has no "
        f"{table}.{column}), from which no migration leads: go back to that state of the code, "
        "or begin with a new home or an empty database."
    )


def knows(revision: str) -> bool:
    """Whether a schema of this revision can be brought to the newest one."""
    script = ScriptDirectory.from_config(_config(""))
    return any(script_revision.revision == revision for script_revision in script.walk_revisions())


def upgrade(dsn: str) -> None:
    """Apply what is missing, and make the parts of tables that will be needed.

    Several callers at once do it one after the other.
    """
    with engine(dsn).connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        try:
            command.upgrade(_config(dsn), "head")
            partitions.make_ahead(dsn)
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
