"""Syncs of pipelines: what records changed in the tables, and one event for each table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automations.db import pipelines
from automations.db.events.events import emit
from automations.db.queue import jobs
from automations.db.rows import keyed_rows
from automations.db.session import Session, reading, unit_of_work
from automations.db.tables import JobKind, PipelineConnection, PipelineRun
from automations.definitions.pipelines import PUSH, TableMapping
from automations.definitions.triggers import SYNCED, sync_key
from automations.domain.events import NewEvent
from automations.domain.statuses import SyncStatus
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.kit import cursors
from automations.kit.values import JSON, from_attributes
from automations.services.audit import audit
from automations.services.pipelines.connections import find, mappings_of
from automations.services.tables import row_syncs
from automations.services.tables.row_syncs import Synced
from automations.services.tables.rows import MAX_NAMED_ROWS

MAX_RECORDS = 50_000
"""Of one push, which is one transaction: it keeps its tables' keys locked until it ends."""
BATCH_SIZE = 1_000
"""How many records one statement takes."""
_MAX_NAMED_ERRORS = 100
"""Kept with the sync for people to read; the rest is only counted."""
_COUNTS = ("created", "updated", "unchanged", "failed")


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync of a connection, with what it has done so far.

    Args:
        started_by: how it was begun.
        tables: what changed in each of them, in numbers and the ids of the first rows.
    """

    id: str
    connection_id: str
    status: SyncStatus
    started_by: str
    pages: int
    records: int
    tables: Sequence[Mapping[str, Any]]
    errors: Sequence[Mapping[str, JSON]]
    error: str | None
    started_at: datetime
    completed_at: datetime | None

    @property
    def totals(self) -> dict[str, int]:
        """What it did to all of its tables."""
        return _totals(self.tables)


def page_after(
    workspace_id: str, connection_id: str, cursor: str | None, size: int
) -> tuple[Sequence[Sync], str | None]:
    """The syncs of a connection after a cursor, newest first, and the next cursor."""
    after = cursors.decode(cursor) if cursor else None
    with unit_of_work() as session:
        find(session, workspace_id, connection_id)
        runs = pipelines.runs_after(session, connection_id, after, size + 1)
    syncs = [from_attributes(Sync, run) for run in runs]
    return cursors.page(syncs, size, lambda sync: (sync.started_at, sync.id))


def newest_of_each(workspace_id: str) -> Mapping[str, Sync]:
    """The newest sync of each connection that has any, by the connection."""
    with reading() as session:
        runs = pipelines.newest_of_each(session, workspace_id)
    return {run.connection_id: from_attributes(Sync, run) for run in runs}


def get(workspace_id: str, connection_id: str, run_id: str) -> Sync:
    """One sync."""
    with unit_of_work() as session:
        return from_attributes(Sync, _find_run(session, workspace_id, connection_id, run_id))


def push(workspace_id: str, connection_id: str, records: Sequence[JSON]) -> Sync:
    """Sync records that were sent; they, their events and the record of it are one transaction.

    Raises:
        ValidationFailed: they are too many, or the connection reads its own.
        Conflict: the connection is disabled, or does not fit its tables any more.
    """
    with unit_of_work() as session:
        run, _ = take(session, workspace_id, connection_id, records, "push")
        return from_attributes(Sync, run)


def take(
    session: Session,
    workspace_id: str,
    connection_id: str,
    records: Sequence[JSON],
    started_by: str,
    delivery_id: str | None = None,
) -> tuple[PipelineRun, bool]:
    """Sync records that were sent, in a transaction; whether this delivery is new.

    Raises:
        ValidationFailed, Conflict: as ``push``.
    """
    if len(records) > MAX_RECORDS:
        raise ValidationFailed({"records": [f"may be {MAX_RECORDS} at most in one sync"]})
    connection = usable(session, workspace_id, connection_id)
    if connection.connector_type != PUSH:
        raise ValidationFailed({"records": ["this connection reads its records itself"]})
    run, is_new = pipelines.begin_run(session, connection, started_by, None, delivery_id)
    if is_new:
        write(session, run, mappings_of(connection), records)
        finish(session, run, connection.name, SyncStatus.COMPLETED)
    return run, is_new


def stop(workspace_id: str, connection_id: str, run_id: str) -> Sync:
    """Stop a sync; what it has changed stays, and is announced.

    Raises:
        Conflict: it has ended.
    """
    with unit_of_work() as session:
        connection = find(session, workspace_id, connection_id, lock="runs")
        run = _find_run(session, workspace_id, connection_id, run_id)
        pipelines.lock_run(session, run.id)
        if run.status != SyncStatus.RUNNING:
            raise Conflict(f"The sync has ended: it is {run.status}.")
        finish(session, run, connection.name, SyncStatus.STOPPED)
        jobs.cancel(session, JobKind.SYNC_PIPELINE, run.id)
        return from_attributes(Sync, run)


def usable(session: Session, workspace_id: str, connection_id: str) -> PipelineConnection:
    """A connection that stays as it is until this transaction ends.

    Raises:
        NotFound: it is not there.
        Conflict: it is disabled.
    """
    connection = find(session, workspace_id, connection_id, lock="runs")
    if not connection.enabled:
        raise Conflict(f"The pipeline connection '{connection.name}' is disabled.")
    return connection


def write(
    session: Session,
    run: PipelineRun,
    mappings: Sequence[TableMapping],
    records: Sequence[JSON],
) -> None:
    """Let records be rows of all tables, and add to the run what that has changed.

    Raises:
        NotFound, Conflict: a table is not any more what its mapping was made for.
    """
    keyed_rows.lock_keys(session, [mapping.table_id for mapping in mappings])
    by_table = {table["tableId"]: table for table in run.tables}
    errors = list(run.errors)
    for part in _parts(records):
        failed: list[dict[str, Any]] = []
        for mapping in mappings:
            synced = row_syncs.sync(session, run.workspace_id, mapping, part, run.records)
            by_table[mapping.table_id] = _add_counts(by_table.get(mapping.table_id), synced)
            failed += synced.errors
        # By record, whichever table and whichever check it fails.
        failed.sort(key=lambda error: int(error["record"]))
        errors += failed[: _MAX_NAMED_ERRORS - len(errors)]
        run.records += len(part)
    run.tables, run.errors = list(by_table.values()), errors
    session.flush()


def finish(
    session: Session,
    run: PipelineRun,
    name: str,
    status: SyncStatus,
    error: str | None = None,
    *,
    by: audit.Actor | None = None,
) -> None:
    """End a sync, and announce each table that it has changed; nothing when it has ended before.

    Args:
        name: the connection's.
        by: who did it, when it was not whoever made the request.
    """
    if not pipelines.end_run(session, run, status, error):
        return
    for counts in run.tables:
        if counts["created"] or counts["updated"]:
            _announce(session, run, name, counts)
    summed: Any = _totals(run.tables)
    audit.record(session, "pipeline.sync", run, by=by, name=name, status=status, **summed)


def _totals(tables: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    return {part: sum(counts[part] for counts in tables) for part in _COUNTS}


def _find_run(session: Session, workspace_id: str, connection_id: str, run_id: str) -> PipelineRun:
    run = pipelines.find_run(session, workspace_id, connection_id, run_id)
    if run is None:
        raise NotFound(f"The connection has no run {run_id}.")
    return run


def _parts(records: Sequence[JSON]) -> Iterator[Sequence[JSON]]:
    for start in range(0, len(records), BATCH_SIZE):
        yield records[start : start + BATCH_SIZE]


def _add_counts(before: Mapping[str, Any] | None, synced: Synced) -> dict[str, Any]:
    """A table's part of a sync so far."""
    nothing = {**dict.fromkeys(_COUNTS, 0), "createdRowIds": [], "updatedRowIds": []}
    old: Mapping[str, Any] = before or nothing
    return {
        "tableId": synced.table_id,
        "tableName": synced.table_name,
        "created": old["created"] + len(synced.created),
        "updated": old["updated"] + len(synced.updated),
        "unchanged": old["unchanged"] + synced.unchanged,
        "failed": old["failed"] + len(synced.errors),
        "createdRowIds": [*old["createdRowIds"], *synced.created][:MAX_NAMED_ROWS],
        "updatedRowIds": [*old["updatedRowIds"], *synced.updated][:MAX_NAMED_ROWS],
    }


def _announce(session: Session, run: PipelineRun, name: str, counts: Mapping[str, Any]) -> None:
    rows = [*counts["createdRowIds"], *counts["updatedRowIds"]][:MAX_NAMED_ROWS]
    emit(
        session,
        run.workspace_id,
        NewEvent(
            kind=SYNCED,
            trigger_key=sync_key(
                counts["tableId"], added=counts["created"] > 0, updated=counts["updated"] > 0
            ),
            data={
                **counts,
                "rowId": rows[0],
                "rowIds": rows,
                "count": counts["created"] + counts["updated"],
                "connectionId": run.connection_id,
                "connectionName": name,
                "pipelineRunId": run.id,
                "status": run.status,
            },
            actors=audit.actors(),
        ),
    )
