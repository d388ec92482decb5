"""Connections of pipelines: named sources, and the tables that their records go to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automations.db import pipelines
from automations.db.queue import jobs
from automations.db.rows import data_tables
from automations.db.session import Session, unit_of_work
from automations.db.tables import JobKind
from automations.db.tables import PipelineConnection as ConnectionRow
from automations.definitions import uses
from automations.definitions.pipelines import ConnectionShape, TableMapping, config_errors, shape_of
from automations.domain.fields import parse_duration
from automations.domain.tables.columns import columns_of
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.kit import common_clock, cursors
from automations.kit.values import JSON, from_attributes
from automations.services.audit import audit


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection; a secret is only named in it."""

    id: str
    name: str
    connector_type: str
    config: Mapping[str, JSON]
    tables: Sequence[Mapping[str, JSON]]
    interval: str | None
    enabled: bool
    created_at: datetime
    updated_at: datetime


def list_all(workspace_id: str) -> Sequence[Connection]:
    """All connections of a workspace, by name."""
    with unit_of_work() as session:
        return [
            from_attributes(Connection, row) for row in pipelines.list_all(session, workspace_id)
        ]


def of_secrets(workspace_id: str) -> Mapping[str, Sequence[Connection]]:
    """The connections that name each secret, by its name."""
    by_secret: dict[str, list[Connection]] = {}
    for connection in list_all(workspace_id):
        for name in uses.secrets_of(connection.config):
            by_secret.setdefault(name, []).append(connection)
    return by_secret


def page_after(
    workspace_id: str, cursor: str | None, size: int
) -> tuple[Sequence[Connection], str | None]:
    """The connections after a cursor, by name, and the next cursor."""
    after = cursors.decode(cursor)[1] if cursor else None
    with unit_of_work() as session:
        rows = pipelines.page_after(session, workspace_id, after, size + 1)
    page_connections = [from_attributes(Connection, row) for row in rows]
    return cursors.page(
        page_connections, size, lambda connection: (connection.created_at, connection.name)
    )


def get(workspace_id: str, connection_id: str) -> Connection:
    """One connection."""
    with unit_of_work() as session:
        return from_attributes(Connection, find(session, workspace_id, connection_id))


def create(workspace_id: str, shape: ConnectionShape) -> Connection:
    """Set up a connection.

    Raises:
        ValidationFailed: its config does not fit, or a mapping does not fit its table.
        Conflict: another one has this name.
    """
    with unit_of_work() as session:
        row = ConnectionRow(workspace_id=workspace_id, connector_type=shape.connector_type)
        _write(session, row, shape)
        audit.record(session, "pipeline.create", row, name=row.name, connector=row.connector_type)
        return from_attributes(Connection, row)


def update(
    workspace_id: str,
    connection_id: str,
    changes: Mapping[str, Any],
    *,
    seen: datetime | None = None,
) -> Connection:
    """Change a connection; a sync that runs begins with the first page again.

    Args:
        changes: fields of a ``ConnectionShape``, but for the connector's type.
        seen: when it was changed last, as far as is known; None to change whatever it is.

    Raises:
        ValidationFailed, Conflict: as ``create``; Conflict, too, when it was changed since it was
            seen.
    """
    with unit_of_work() as session:
        row = find(session, workspace_id, connection_id, lock="shape")
        if seen is not None and row.updated_at != seen:
            raise Conflict(
                f"Somebody else has changed the pipeline '{row.name}' meanwhile: load the page "
                "anew to change what it is now."
            )
        shape = shape_of({**as_given(row), **changes})
        _write(session, row, shape)
        pipelines.reset_cursors(session, row.id)
        audit.record(session, "pipeline.update", row, name=row.name, fields=sorted(changes))
        return from_attributes(Connection, row)


def delete(workspace_id: str, connection_id: str) -> None:
    """Delete a connection and what is known of its runs; rows stay."""
    with unit_of_work() as session:
        row = find(session, workspace_id, connection_id, lock="shape")
        audit.record(session, "pipeline.delete", row, name=row.name)
        session.delete(row)


def find(
    session: Session, workspace_id: str, connection_id: str, *, lock: str | None = None
) -> ConnectionRow:
    """A connection of a workspace.

    Args:
        lock: ``shape`` to change it, ``runs`` to sync while it stays as it is.

    Raises:
        NotFound: it is not there.
    """
    row = pipelines.find(session, workspace_id, connection_id, lock=lock)
    if row is None:
        raise NotFound(f"There is no pipeline connection {connection_id}.")
    return row


def as_given(row: Connection | ConnectionRow) -> dict[str, Any]:
    """A connection as clients write it."""
    return {
        "name": row.name,
        "connectorType": row.connector_type,
        "config": row.config,
        "tables": row.tables,
        "interval": row.interval,
        "enabled": row.enabled,
    }


def mappings_of(row: ConnectionRow) -> list[TableMapping]:
    """The tables that a connection's records go to."""
    return [TableMapping.model_validate(mapping) for mapping in row.tables]


def _write(session: Session, row: ConnectionRow, shape: ConnectionShape) -> None:
    errors = config_errors(shape.connector_type, shape.config)
    for index, mapping in enumerate(shape.tables):
        errors |= _mapping_errors(session, row.workspace_id, mapping, f"tables.{index}")
    if errors:
        raise ValidationFailed(errors)
    with session.no_autoflush:
        other = pipelines.find_by_name(session, row.workspace_id, shape.name)
    if other is not None and other.id != row.id:
        raise Conflict(f"Another pipeline connection is named '{shape.name}'.")
    before = (row.interval, row.enabled)
    row.name, row.config, row.enabled = shape.name, shape.config, shape.enabled
    row.tables = [mapping.model_dump(by_alias=True) for mapping in shape.tables]
    row.interval = shape.interval
    row.updated_at = common_clock.now()
    session.add(row)
    session.flush()
    session.refresh(row)
    if (row.interval, row.enabled) != before:
        _schedule(session, row)


def _mapping_errors(
    session: Session, workspace_id: str, mapping: TableMapping, path: str
) -> dict[str, list[str]]:
    table = data_tables.find(session, workspace_id, mapping.table_id)
    if table is None:
        return {f"{path}.tableId": [f"there is no table {mapping.table_id}"]}
    if table.form_id is not None:
        return {f"{path}.tableId": ["its rows are the submissions of a form"]}
    return mapping.misfits(columns_of(table.columns), path)


def _schedule(session: Session, row: ConnectionRow) -> None:
    jobs.cancel(session, JobKind.SCHEDULE_PIPELINE, row.id)
    if row.interval is not None and row.enabled:
        jobs.enqueue(session, JobKind.SCHEDULE_PIPELINE, row.id, parse_duration(row.interval))
