"""Reads the audit log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, Select, Text, column, or_, select, true, values
from sqlalchemy.orm import Session

from automations.db import keyset_pages
from automations.db.tables import AuditLog
from automations.domain.audit import AuditFilter

_TIME_TOLERANCE = timedelta(seconds=30)
"""Between a change and its line, which are of one transaction."""


def page_after(
    session: Session,
    workspace_id: str,
    criteria: AuditFilter,
    after: tuple[datetime, int] | None,
    limit: int,
) -> Sequence[AuditLog]:
    """The lines that come behind one in a list with the newest first."""
    query = _fitting(workspace_id, criteria)
    return keyset_pages.page_after(session, query, (AuditLog.at, AuditLog.id), after, limit)


def all_of(session: Session, workspace_id: str, criteria: AuditFilter) -> Iterator[AuditLog]:
    """Every line that fits, the oldest first, a part of them in memory at a time."""
    oldest_first = _fitting(workspace_id, criteria).order_by(AuditLog.at, AuditLog.id)
    return iter(session.scalars(oldest_first.execution_options(yield_per=1_000)))


def actors(
    session: Session, workspace_id: str, resource_type: str, changed: Mapping[str, datetime]
) -> dict[str, str]:
    """Who has changed each of some resources when it was changed last, by its id.

    Args:
        changed: when that was; lines of other times are not looked at.
    """
    if not changed:
        return {}
    each = values(column("id", Text), column("at", DateTime(timezone=True)), name="each").data(
        list(changed.items())
    )
    line = (
        select(AuditLog.actor)
        .where(
            AuditLog.workspace_id == workspace_id,
            AuditLog.at.between(each.c.at - _TIME_TOLERANCE, each.c.at + _TIME_TOLERANCE),
            AuditLog.resource_type == resource_type,
            AuditLog.resource_id == each.c.id,
        )
        .order_by(AuditLog.at.desc(), AuditLog.id.desc())
        .limit(1)
        .lateral("line")
    )
    rows = session.execute(select(each.c.id, line.c.actor).select_from(each).join(line, true()))
    return {row[0]: row[1] for row in rows}


def _fitting(workspace_id: str, criteria: AuditFilter) -> Select[Any]:
    query = select(AuditLog).where(AuditLog.workspace_id == workspace_id)
    if criteria.actor is not None:
        query = query.where(
            or_(AuditLog.actor == criteria.actor, AuditLog.actor_id == criteria.actor)
        )
    columns = {
        AuditLog.action: criteria.action,
        AuditLog.resource_type: criteria.resource_type,
        AuditLog.resource_id: criteria.resource_id,
    }
    query = keyset_pages.equal(query, columns)
    return keyset_pages.between(query, AuditLog.at, criteria.since, criteria.until)
