"""Syncs records into a table's rows: many at once, in a few statements, without duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from automations.db.rows import data_rows, keyed_rows
from automations.db.rows.keyed_rows import StoredRow
from automations.db.session import Session
from automations.definitions.pipelines import TableMapping
from automations.domain.tables.columns import Column, columns_of, key_hash, key_values, validate
from automations.errors import Conflict
from automations.kit.storable import kept_alike, same, sanitize
from automations.kit.values import JSON
from automations.services.tables import tables

# What is wrong is kept with the sync: a source with broken records must not make that large.
_MAX_NAMED_FIELDS = 20
_MAX_PATH_LENGTH = 200
"""It is told in errors."""


class _Given(NamedTuple):
    place: int
    keys: Mapping[str, JSON]
    values: dict[str, JSON]


@dataclass(slots=True)
class Synced:
    """What became of records in one table; several records of one row count as one."""

    table_id: str
    table_name: str
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    def fail(self, place: int, problems: Mapping[str, Sequence[str]]) -> None:
        """Note what is wrong with a record; its own keys may hold what cannot be kept."""
        first = islice(problems.items(), _MAX_NAMED_FIELDS)
        named: Any = {path[:_MAX_PATH_LENGTH]: list(messages) for path, messages in first}
        error = {"record": place, "tableId": self.table_id, "fieldErrors": sanitize(named)}
        self.errors.append(error)


def sync(
    session: Session,
    workspace_id: str,
    mapping: TableMapping,
    records: Sequence[JSON],
    first: int,
) -> Synced:
    """Add and change rows in a transaction that has locked the table's keys.

    Args:
        first: the number of the first record in the whole sync.

    Raises:
        NotFound: the table is not there any more.
        Conflict: it is not any more what the mapping was made for.
    """
    table = tables.writable(session, workspace_id, mapping.table_id)
    columns = columns_of(table.columns)
    if misfits := mapping.misfits(columns, "mapping"):
        raise Conflict(
            f"The table '{table.name}' has changed, so that its mapping does not fit: change the "
            f"connection. {', '.join(misfits)}."
        )
    synced = Synced(table.id, table.name)
    records_by_hash = _by_hash(mapping, columns, enumerate(records, first), synced)
    keys = {hashed: record.keys for hashed, record in records_by_hash.items()}
    existing = keyed_rows.find_all(session, table.id, mapping.key_columns, keys)
    new: dict[str, dict[str, JSON]] = {}
    changed: list[StoredRow] = []
    rewritten: list[StoredRow] = []
    marked: list[StoredRow] = []
    for hashed, incoming in records_by_hash.items():
        row = existing.get(hashed)
        row_values, problems = validate(columns, incoming.values, before=row.data if row else None)
        if problems:
            synced.fail(incoming.place, problems)
        elif row is None:
            new[hashed] = row_values
        elif not same(row_values, row.data):
            changed.append(StoredRow(row.id, row_values, hashed))
        else:
            synced.unchanged += 1
            if not kept_alike(row_values, row.data):
                rewritten.append(StoredRow(row.id, row_values, hashed))
            elif row.hashed != hashed:
                marked.append(StoredRow(row.id, row_values, hashed))
    synced.created = data_rows.add_many(session, table.id, list(new.values()), list(new))
    keyed_rows.change_many(session, [*changed, *rewritten])
    keyed_rows.mark_many(session, marked)
    synced.updated = [row.id for row in changed]
    return synced


def _by_hash(
    mapping: TableMapping,
    columns: Sequence[Column],
    records: Iterable[tuple[int, JSON]],
    synced: Synced,
) -> dict[str, _Given]:
    """What is given for each row; a later record is laid over an earlier one."""
    by_hash: dict[str, _Given] = {}
    for place, record in records:
        if not isinstance(record, Mapping):
            synced.fail(place, {"record": ["must be an object"]})
            continue
        values = mapping.values_of(record)
        keys, problems = key_values(columns, mapping.key_columns, values)
        if problems:
            synced.fail(place, problems)
            continue
        hashed = key_hash(keys, keys)
        before = by_hash.get(hashed)
        by_hash[hashed] = _Given(place, keys, {**before.values, **values} if before else values)
    return by_hash
