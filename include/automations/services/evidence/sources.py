"""The sources of evidence: each returns its rows as JSON objects, the oldest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from automations.db import audit, security_events
from automations.db.access import members
from automations.db.rows import data_rows
from automations.db.session import Session
from automations.definitions.field_errors import format_errors
from automations.domain.audit import AuditFilter, SecurityFilter
from automations.domain.evidence import fits
from automations.domain.tables.columns import Column, columns_of, with_nulls
from automations.domain.tables.filters import from_step, validate
from automations.errors import StepError
from automations.kit.clock import timestamp
from automations.ports import EvidenceRequest
from automations.ports.tables import RowFilter
from automations.services.tables import tables

Row = Mapping[str, Any]
Source = Callable[[Session, str, EvidenceRequest], Iterator[Row]]

ADMINS_ONLY = frozenset({"AUDIT_LOGS", "SECURITY_EVENTS"})
"""Sources that only administrators may read, so that evidence of them is theirs, too."""


_OF_AUDIT_LOGS = (
    *("id", "at", "actorType", "actor", "actorId", "action", "resourceType", "resourceId", "ip"),
    *("requestId", "details"),
)
_OF_SECURITY_EVENTS = (
    "id", "at", "type", "severity", "actor", "ip", "requestId", "details", "count",
)  # fmt: skip
_OF_MEMBERS = ("id", "name", "email", "role", "createdAt")
_OF_ROWS = ("rowId", "rowCreatedAt", "rowUpdatedAt")


def audit_logs(session: Session, workspace_id: str, request: EvidenceRequest) -> Iterator[Row]:
    """The lines of the audit log."""
    criteria = AuditFilter(since=request.since, until=request.until)
    return _filter(
        (
            {
                "id": str(line.id),
                "at": timestamp(line.at),
                "actorType": line.actor_type,
                "actor": line.actor,
                "actorId": line.actor_id,
                "action": line.action,
                "resourceType": line.resource_type,
                "resourceId": line.resource_id,
                "ip": line.ip,
                "requestId": line.request_id,
                "details": line.details,
            }
            for line in audit.all_of(session, workspace_id, criteria)
        ),
        _OF_AUDIT_LOGS,
        request,
    )


def security_event_rows(
    session: Session, workspace_id: str, request: EvidenceRequest
) -> Iterator[Row]:
    """The security events."""
    criteria = SecurityFilter(since=request.since, until=request.until)
    return _filter(
        (
            {
                "id": event.id,
                "at": timestamp(event.at),
                "type": event.type,
                "severity": event.severity,
                "actor": event.actor,
                "ip": event.ip,
                "requestId": event.request_id,
                "details": event.details,
                "count": event.count,
            }
            for event in security_events.all_of(session, workspace_id, criteria)
        ),
        _OF_SECURITY_EVENTS,
        request,
    )


def org_members(session: Session, workspace_id: str, request: EvidenceRequest) -> Iterator[Row]:
    """The members of the workspace; from and to are about when they were added."""
    return _filter(
        (
            {
                "id": member.id,
                "name": member.name,
                "email": member.email,
                "role": member.role,
                "createdAt": timestamp(member.created_at),
            }
            for member in members.list_page(session, workspace_id)
            if (request.since is None or member.created_at >= request.since)
            and (request.until is None or member.created_at < request.until)
        ),
        _OF_MEMBERS,
        request,
    )


def table_rows(session: Session, workspace_id: str, request: EvidenceRequest) -> Iterator[Row]:
    """The rows of a table, with their values by columns; from and to are about when they began."""
    table = tables.find(session, workspace_id, str(request.table_id))
    columns = columns_of(table.columns)
    try:
        criteria = RowFilter.model_validate(request.filter) if request.filter else None
    except ValidationError as error:
        problems = format_errors(error, request.filter, "config.filter.")
        raise StepError(problems, kind="config") from error
    _check("columns", request.columns, (*_OF_ROWS, *(column.key for column in columns)))
    _check_of_row(columns, request.columns)
    group = validate(
        None if criteria is None else from_step(criteria, columns, request.zone), columns
    )
    for row in data_rows.all_of(session, table.id, group, request.since, request.until):
        yield {
            **with_nulls(columns, row.data),
            "rowId": row.id,
            "rowCreatedAt": timestamp(row.created_at),
            "rowUpdatedAt": timestamp(row.updated_at),
        }


def _check_of_row(columns: Sequence[Column], requested: Sequence[str]) -> None:
    """Check that no column that is wanted has the name of what evidence says of the row itself."""
    keys = {column.key for column in columns}
    shared = [name for name in _OF_ROWS if name in keys and (name in requested or not requested)]
    if shared:
        raise StepError(
            f"config.columns: the table has a column {shared[0]}, which in evidence is the row's "
            "own: name the columns to keep, without that one",
            kind="config",
        )


def _filter(rows: Iterable[Row], columns: Sequence[str], request: EvidenceRequest) -> Iterator[Row]:
    criteria = request.filter or {}
    _check("filter", criteria, columns)
    _check("columns", request.columns, columns)
    for row in rows:
        if fits(row, criteria):
            yield row


def _check(where: str, names: Iterable[str], columns: Sequence[str]) -> None:
    """Check names of fields, also where there is no row to look for them in."""
    unknown = [name for name in names if name not in columns]
    if unknown:
        raise StepError(
            f"config.{where}: there is no {', '.join(unknown)}; there are {', '.join(columns)}",
            kind="config",
        )


SOURCES: dict[str, Source] = {
    "AUDIT_LOGS": audit_logs,
    "SECURITY_EVENTS": security_event_rows,
    "ORG_MEMBERS": org_members,
    "TABLE_ROWS": table_rows,
}
