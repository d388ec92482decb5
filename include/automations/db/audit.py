"""Reads the audit log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from automations.db import keyset_pages
from automations.db.tables import AuditLog
from automations.domain.audit import AuditFilter


def page_after(
    session: Session,
    workspace_id: str,
    wanted: AuditFilter,
    after: tuple[datetime, int] | None,
    limit: int,
) -> Sequence[AuditLog]:
    """The lines that come behind one in a list with the newest first."""
    query = _fitting(workspace_id, wanted)
    return keyset_pages.page_after(session, query, (AuditLog.at, AuditLog.id), after, limit)


def all_of(session: Session, workspace_id: str, wanted: AuditFilter) -> Iterator[AuditLog]:
    """Every line that fits, the oldest first, a part of them in memory at a time."""
    oldest_first = _fitting(workspace_id, wanted).order_by(AuditLog.at, AuditLog.id)
    return iter(session.scalars(oldest_first.execution_options(yield_per=1_000)))


def _fitting(workspace_id: str, wanted: AuditFilter) -> Select[Any]:
    query = select(AuditLog).where(AuditLog.workspace_id == workspace_id)
    if wanted.actor is not None:
        query = query.where(or_(AuditLog.actor == wanted.actor, AuditLog.actor_id == wanted.actor))
    columns = {
        AuditLog.action: wanted.action,
        AuditLog.resource_type: wanted.resource_type,
        AuditLog.resource_id: wanted.resource_id,
    }
    query = keyset_pages.equal(query, columns)
    return keyset_pages.between(query, AuditLog.at, wanted.since, wanted.until)
