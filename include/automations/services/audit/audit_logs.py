"""The audit log as clients read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from automations.db import audit
from automations.db.session import reading, unit_of_work
from automations.domain.audit import AuditFilter, AuditLog
from automations.kit import cursors
from automations.kit.values import from_attributes


def page_after(
    workspace_id: str, criteria: AuditFilter, cursor: str | None, size: int
) -> tuple[Sequence[AuditLog], str | None]:
    """The lines after a cursor, newest first, and the next cursor."""
    after = cursors.decode_numbered(cursor) if cursor else None
    with unit_of_work() as session:
        rows = audit.page_after(session, workspace_id, criteria, after, size + 1)
    lines = [from_attributes(AuditLog, row) for row in rows]
    return cursors.page(lines, size, lambda line: (line.at, str(line.id)))


def actors(
    workspace_id: str, resource_type: str, changed: Mapping[str, datetime]
) -> Mapping[str, str]:
    """Who has changed each of some resources last, by its id, as far as the log still says so.

    Args:
        changed: when they were changed last, by their ids.
    """
    with reading() as session:
        return audit.actors(session, workspace_id, resource_type, changed)
