"""Brings our database to the newest schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from automations.db.session import engine, unit_of_work

_LOCK = 0x6175746F


def _config(dsn: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["dsn"] = dsn
    return config


def is_current(dsn: str) -> bool:
    """Whether the schema is the newest one."""
    head = ScriptDirectory.from_config(_config(dsn)).get_current_head()
    with unit_of_work(dsn) as session:
        found = MigrationContext.configure(session.connection()).get_current_revision()
    return found == head


def knows(revision: str) -> bool:
    """Whether a schema of this revision can be brought to the newest one."""
    script = ScriptDirectory.from_config(_config(""))
    return any(known.revision == revision for known in script.walk_revisions())


def upgrade(dsn: str) -> None:
    """Apply what is missing; several callers at once do it one after the other."""
    with engine(dsn).connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        try:
            command.upgrade(_config(dsn), "head")
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
