"""Alembic's entry; run through ``automations.db.migrate``."""

from __future__ import annotations

from alembic import context

from automations.db import partitions
from automations.db.session import engine
from automations.db.tables import Base

with engine(context.config.attributes["dsn"]).connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=True,
        # Parts of tables are made while it runs, not by migrations.
        include_name=lambda name, kind, _: kind != "table" or not partitions.is_part(name),
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
