"""Tables in parts by month: parts are there before they are needed, and go when they are old."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import text

from automations.db import migrate, partitions, retention
from automations.db.session import dispose, engine, sync_clock, unit_of_work
from automations.dispatch.housekeeping import Housekeeper
from automations.services.runs.retention import prune, would_prune
from tests.conftest import Server
from tests.db.workspace import workspace

TABLES = ("audit_log", "security_event")
NEW = "of_this_month"
"""A database that is made by a test."""
# No month ends while they are tried: the clock says that it is the middle of this one.
NOW = datetime.now(UTC).replace(day=15, hour=12)
BEFORE = datetime(2020, 3, 15, tzinfo=UTC)
OLD = {"2020_01": ("2020-01-01", "2020-02-01"), "2020_03": ("2020-03-01", "2020-04-01")}


@pytest.fixture(autouse=True)
def _of_this_month(database: str) -> Iterator[None]:
    with time_machine.travel(NOW):
        yield
    sync_clock()


@pytest.fixture
def here(database: str) -> Iterator[str]:
    """A workspace, whose database has parts of two old months, and of this one and the next."""
    partitions.make_ahead()
    for table in TABLES:
        for month, (since, until) in OLD.items():
            sql(
                f"CREATE TABLE {table}_{month} PARTITION OF {table}"
                f" FOR VALUES FROM ('{since}') TO ('{until}')"
            )
    try:
        yield workspace()
    finally:
        for table in TABLES:
            for month in OLD:
                sql(f"DROP TABLE IF EXISTS {table}_{month}")
        partitions.make_ahead()


def sql(statement: str, **values: object) -> None:
    with unit_of_work() as session:
        session.execute(text(statement), values)


def parts(table: str) -> dict[str, int]:
    """How many rows lie in each part."""
    query = f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1"
    with unit_of_work() as session:
        return {str(row[0]): int(row[1]) for row in session.execute(text(query))}


def names(table: str) -> set[str]:
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:table)"
    with unit_of_work() as session:
        return set(session.scalars(text(query), {"table": table}))


def note(here: str, at: datetime, many: int = 1) -> None:
    sql(
        "INSERT INTO audit_log (workspace_id, at, actor_type, actor, action, resource_type,"
        " resource_id, details) SELECT :here, CAST(:at AS timestamptz) + n * interval '1 second',"
        " 'system', 's', 'a.b', 'run', 'x', '{}' FROM generate_series(1, :many) n",
        here=here,
        at=at,
        many=many,
    )
    sql(
        "INSERT INTO security_event (id, at, type, severity, actor, details)"
        " SELECT :at || '-' || n, CAST(:at AS timestamptz) + n * interval '1 second',"
        " 'auth.failed', 'INFO', 'a', '{}' FROM generate_series(1, :many) n",
        at=at.isoformat(),
        many=many,
    )


def month(ahead: int) -> str:
    number = NOW.year * 12 + NOW.month - 1 + ahead
    return f"{number // 12}_{number % 12 + 1:02}"


def test_parts_of_this_month_and_the_next_ones_are_there_from_the_beginning(
    postgres: Server,
) -> None:
    postgres.run(f"CREATE DATABASE {NEW}")
    try:
        migrate.upgrade(postgres.dsn(NEW))
        rows = postgres.rows("SELECT relname FROM pg_class WHERE relispartition", NEW)
    finally:
        dispose()
        postgres.run(f"DROP DATABASE {NEW} WITH (FORCE)")
    for table in TABLES:
        wanted = {f"{table}_{month(ahead)}" for ahead in range(partitions.MONTHS_AHEAD + 1)}
        assert wanted | {f"{table}_default"} <= {name for (name,) in rows}


def test_what_is_of_no_month_with_a_part_is_taken_all_the_same(here: str) -> None:
    note(here, datetime(2020, 1, 31, 23, 59, tzinfo=UTC))
    note(here, datetime(2020, 2, 1, tzinfo=UTC))
    note(here, NOW)
    for table in TABLES:
        assert parts(table) == {
            f"{table}_2020_01": 1,
            f"{table}_default": 1,
            f"{table}_{month(0)}": 1,
        }


def test_the_housekeeper_makes_parts_that_are_lacking(here: str) -> None:
    lacking = {f"{table}_{month(ahead)}" for table in TABLES for ahead in (1, 3)}
    for part in lacking:
        sql(f"DROP TABLE {part}")
    Housekeeper(None).run_due(threading.Event())  # type: ignore[arg-type]  # it is not asked
    for table in TABLES:
        assert {part for part in lacking if part.startswith(table)} <= names(table)


def test_rows_that_lie_in_the_default_part_stay_there_and_keep_no_other_part_from_being_made(
    here: str,
) -> None:
    for ahead in (0, 2):
        sql(f"DROP TABLE audit_log_{month(ahead)}")
    note(here, NOW)
    migrate.upgrade(str(engine().url.render_as_string(hide_password=False)))
    assert parts("audit_log") == {"audit_log_default": 1}
    assert f"audit_log_{month(2)}" in names("audit_log")
    sql("DELETE FROM audit_log")
    partitions.make_ahead()
    assert f"audit_log_{month(0)}" in names("audit_log")


def test_months_that_are_old_are_dropped_whole_and_the_rest_goes_by_rows(here: str) -> None:
    for at in (datetime(2020, 1, 5, tzinfo=UTC), datetime(2020, 2, 5, tzinfo=UTC)):
        note(here, at, retention.BATCH_SIZE + 3)
    note(here, BEFORE - timedelta(days=1), 2)
    note(here, BEFORE, 4)
    note(here, NOW, 5)
    old = 2 * (retention.BATCH_SIZE + 3) + 2
    foreseen = would_prune(BEFORE, ["audit"])
    assert prune(BEFORE, None).get("audit_log", 0) == 0
    deleted = prune(BEFORE, None, extras=["audit"])
    for table in TABLES:
        assert deleted[table] == foreseen[table] == old
        assert f"{table}_2020_01" not in names(table)
        assert parts(table) == {f"{table}_2020_03": 4, f"{table}_{month(0)}": 5}


def test_while_somebody_reads_the_table_its_rows_go_one_by_one_and_its_part_later(
    here: str,
) -> None:
    note(here, datetime(2020, 1, 5, tzinfo=UTC), 3)
    with engine().connect() as reader:
        reader.execute(text("SELECT count(*) FROM audit_log"))
        assert prune(BEFORE, None, extras=["audit"])["audit_log"] == 3
        assert "audit_log_2020_01" in names("audit_log")
    assert parts("audit_log") == {}
    prune(BEFORE, None, extras=["audit"])
    assert "audit_log_2020_01" not in names("audit_log")


def test_a_table_that_was_made_before_there_were_parts_goes_on_without(here: str) -> None:
    sql(f"DROP TABLE audit_log_{month(1)}")
    sql("ALTER TABLE audit_log DETACH PARTITION audit_log_default")
    try:
        partitions.make_ahead()
        assert f"audit_log_{month(1)}" not in names("audit_log")
    finally:
        sql("ALTER TABLE audit_log ATTACH PARTITION audit_log_default DEFAULT")
