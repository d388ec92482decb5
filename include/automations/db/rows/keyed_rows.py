"""Rows identified by some of their columns: found, added and changed without duplicates."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, TextClause, func, literal, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from automations.db.tables import DataRow
from automations.domain.tables.columns import key_hash, key_set
from automations.kit.values import JSON

_BATCH_SIZE = 1_000
"""Keys in a statement: a sync of any size is held in memory by the thousand."""

# Compared as JSON, for which 1 and 1.0 are the same number. Hashes are alike but for their digits,
# so those of other columns are before or behind all of ours, whatever the collation.
_UNHASHED = """
WITH wanted AS (
    SELECT hash, CAST(value AS jsonb) AS value
    FROM unnest(CAST(:hashes AS text[]), CAST(:values AS text[])) AS w (hash, value)
), other AS (
    SELECT id, created_at, data FROM data_row WHERE table_id = :table_id AND key_hash IS NULL
    UNION ALL
    SELECT id, created_at, data FROM data_row WHERE table_id = :table_id AND key_hash < :least
    UNION ALL
    SELECT id, created_at, data FROM data_row WHERE table_id = :table_id AND key_hash > :most
)
SELECT DISTINCT ON (w.hash) w.hash, o.id
FROM other o JOIN wanted w ON w.value = jsonb_build_array({columns})
ORDER BY w.hash, o.created_at, o.id
"""
_CHANGE = text("""
UPDATE data_row AS r
SET data = CAST(v.data AS jsonb), key_hash = v.hash, updated_at = clock_timestamp()
FROM unnest(CAST(:ids AS text[]), CAST(:datas AS text[]), CAST(:hashes AS text[]))
    AS v (id, data, hash)
WHERE r.id = v.id
""")
_MARK = text("""
UPDATE data_row AS r SET key_hash = v.hash
FROM unnest(CAST(:ids AS text[]), CAST(:hashes AS text[])) AS v (id, hash)
WHERE r.id = v.id
""")


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row as it is kept."""

    id: str
    data: Mapping[str, JSON]
    hashed: str | None


def find_one(
    session: Session, table_id: str, keys: Sequence[str], data: Mapping[str, JSON]
) -> DataRow | None:
    """The oldest row with these values in some columns; the next who asks waits until we commit."""
    hashed, kind = key_hash(keys, data), key_set(keys)
    lock = func.hashtextextended(f"{table_id}:{hashed}", 0)
    # A sync of the table excludes all who look for keys, without a lock for each key.
    session.execute(select(func.pg_advisory_xact_lock_shared(_whole(table_id))))
    session.execute(select(func.pg_advisory_xact_lock(lock)))
    same = DataRow.data.op("@>")(literal({key: data[key] for key in keys}, JSONB))
    # Most rows are found by their hash; the others were made without one, or by other columns.
    other = or_(DataRow.key_hash.is_(None), func.left(DataRow.key_hash, len(kind)) != kind)
    for place in (DataRow.key_hash == hashed, other):
        query = select(DataRow).where(DataRow.table_id == table_id, place, same)
        first = query.order_by(DataRow.created_at, DataRow.id).limit(1).with_for_update()
        row = session.scalar(first.execution_options(populate_existing=True))
        if row is not None:
            return row
    return None


def lock_keys(session: Session, table_ids: Iterable[str]) -> None:
    """Let nobody else find rows of these tables by keys until this transaction ends."""
    for table_id in sorted(table_ids):
        session.execute(select(func.pg_advisory_xact_lock(_whole(table_id))))


def find_all(
    session: Session,
    table_id: str,
    keys: Sequence[str],
    wanted_rows: Mapping[str, Mapping[str, JSON]],
) -> dict[str, StoredRow]:
    """The oldest rows with some values in the key columns, by their hash, locked.

    Args:
        keys: the columns, whose keys the caller has locked.
        wanted_rows: values of the columns by their hash.
    """
    locked = _lock(session, DataRow.table_id == table_id, DataRow.key_hash.in_(list(wanted_rows)))
    by_hash = {str(row.hashed): row for row in locked}
    missing = {hashed: data for hashed, data in wanted_rows.items() if hashed not in by_hash}
    if missing and (others := _find_unhashed(session, table_id, keys, missing)):
        for row in _lock(session, DataRow.id.in_(list(others))):
            by_hash.setdefault(others[row.id], row)
    return by_hash


def _lock(session: Session, *conditions: ColumnElement[bool]) -> Iterator[StoredRow]:
    query = select(DataRow.id, DataRow.data, DataRow.key_hash).where(*conditions)
    for row_id, data, hashed in session.execute(query.order_by(DataRow.id).with_for_update()):
        yield StoredRow(row_id, data, hashed)


def _find_unhashed(
    session: Session,
    table_id: str,
    keys: Sequence[str],
    wanted_rows: Mapping[str, Mapping[str, JSON]],
) -> dict[str, str]:
    """Rows that were made without a hash or by other columns: their ids, and the hash they get."""
    columns = {f"column{place}": key for place, key in enumerate(keys)}
    named = ", ".join(f"o.data -> :{name}" for name in columns)
    kind = key_set(keys)
    rows = session.execute(
        text(_UNHASHED.format(columns=named)),
        {
            **columns,
            "table_id": table_id,
            "hashes": list(wanted_rows),
            "values": [json.dumps([data[key] for key in keys]) for data in wanted_rows.values()],
            "least": f"{kind}:{'0' * 64}",
            "most": f"{kind}:{'f' * 64}",
        },
    )
    return {row_id: hashed for hashed, row_id in rows}


def change_many(session: Session, changes: Sequence[StoredRow]) -> None:
    """Give rows, which are locked, other values and hashes."""
    _in_parts(session, _CHANGE, changes)


def mark_many(session: Session, rows: Sequence[StoredRow]) -> None:
    """Give rows, which are locked, other hashes."""
    _in_parts(session, _MARK, rows)


def _in_parts(session: Session, statement: TextClause, rows: Sequence[StoredRow]) -> None:
    for start in range(0, len(rows), _BATCH_SIZE):
        part = rows[start : start + _BATCH_SIZE]
        values = {
            "ids": [row.id for row in part],
            "hashes": [row.hashed for row in part],
            "datas": [json.dumps(row.data, ensure_ascii=False) for row in part],
        }
        session.execute(statement, values)


def _whole(table_id: str) -> ColumnElement[int]:
    return func.hashtextextended(f"{table_id}:keys", 0)
