"""Monthly partitions of tables: created ahead, and dropped when all in them is old.

What is of a month that has no part lies in the part ``default``, so that nothing is ever refused.
Whoever makes or drops a part keeps all others from the table for that moment, and so gives up soon
where somebody is reading: it is done another time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Table, text

from automations.db.session import reading, unit_of_work
from automations.db.tables import Base
from automations.errors import DatabaseUnavailable
from automations.kit import common_clock

log = logging.getLogger(__name__)

MONTHS_AHEAD = 3
"""Parts are made each ten minutes where they are lacking: so long may that fail."""
_LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '500ms'")
"""Less than deadlock_timeout, after which PostgreSQL would break off one who is not to blame."""
_PARTS = text("""
SELECT part.relname FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid
WHERE inhparent = to_regclass(:table) ORDER BY part.relname
""")


def tables() -> list[Table]:
    """The tables that are in parts."""
    options = (
        (table, table.dialect_options["postgresql"]) for table in Base.metadata.sorted_tables
    )
    return [table for table, option in options if option["partition_by"]]


def is_part(name: str | None) -> bool:
    """Whether a table is a part of another one, by its name."""
    return name is not None and any(
        _month_of(table.name, name) or name == _default(table.name) for table in tables()
    )


def make_ahead(dsn: str | None = None) -> None:
    """Make the parts of this month and the next ones that are lacking.

    Raises:
        DatabaseUnavailable: it cannot be asked.
    """
    for table in tables():
        existing = _parts(table.name, dsn)
        # A database of before there were parts goes on without.
        lacking = _months(common_clock.now()) if _default(table.name) in existing else ()
        for month in lacking:
            if _part(table.name, month) not in existing:
                _make(table.name, month, dsn)


def drop_before(table: str, before: datetime) -> int:
    """Drop the parts in which everything is older; how many rows that were."""
    return sum(
        _drop(table, part)
        for part in _parts(table)
        if (month := _month_of(table, part)) and _following(month) <= before
    )


def _make(table: str, month: datetime, dsn: str | None) -> None:
    part, default = _part(table, month), _default(table)
    since, until = month.isoformat(), _following(month).isoformat()
    strays = text(f"SELECT EXISTS (SELECT FROM {default} WHERE at >= :since AND at < :until)")  # noqa: S608 -- the names are ours
    try:
        with unit_of_work(dsn) as session:
            if session.scalar(strays, {"since": since, "until": until}):
                return  # they lie well where they are
            session.execute(_LOCK_TIMEOUT)
            session.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS {part} PARTITION OF {table}"
                    f" FOR VALUES FROM ('{since}') TO ('{until}')"
                )
            )
    except DatabaseUnavailable as busy:
        log.info("Part %s is to be made another time: %s", part, busy)


def _drop(table: str, part: str) -> int:
    try:
        with unit_of_work() as session:
            # Nothing is added to it any more; to count takes longer than others may be kept away.
            count = int(session.scalar(text(f"SELECT count(*) FROM {part}")) or 0)  # noqa: S608
        with unit_of_work() as session:
            session.execute(_LOCK_TIMEOUT)
            session.execute(text(f"LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE"))
            session.execute(text(f"DROP TABLE {part}"))
    except DatabaseUnavailable as busy:
        log.info("Part %s is to be dropped another time: %s", part, busy)
        return 0
    return count


def _parts(table: str, dsn: str | None = None) -> list[str]:
    with reading(dsn) as session:
        return list(session.scalars(_PARTS, {"table": table}))


def _months(now: datetime) -> Iterator[datetime]:
    month = datetime(now.year, now.month, 1, tzinfo=UTC)
    for _ in range(MONTHS_AHEAD + 1):
        yield month
        month = _following(month)


def _following(month: datetime) -> datetime:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def _part(table: str, month: datetime) -> str:
    return f"{table}_{month:%Y_%m}"


def _default(table: str) -> str:
    return f"{table}_default"


def _month_of(table: str, part: str) -> datetime | None:
    try:
        return datetime.strptime(part, f"{table}_%Y_%m").replace(tzinfo=UTC)
    except ValueError:
        return None
