"""Security events: recorded when something is refused, and read by administrators."""

from __future__ import annotations

from collections.abc import Sequence

from automations.db import security_events
from automations.db.session import unit_of_work
from automations.domain.audit import SecurityEvent, SecurityFilter
from automations.domain.statuses import Severity
from automations.kit import cursors
from automations.kit.networks import network
from automations.kit.values import JSON, from_attributes
from automations.services.audit import audit


def note(
    type_: str,
    severity: Severity = Severity.WARNING,
    *,
    workspace_id: str | None = None,
    **details: JSON,
) -> None:
    """Store what was refused, in a transaction of its own: the refusal undoes the other one.

    Args:
        workspace_id: whose event it is, outside of a request.
        details: what people should know of it; never a token.
    """
    origin = audit.current()
    workspace = workspace_id or origin.workspace_id
    with unit_of_work() as session:
        security_events.add(
            session,
            network(origin.ip) if origin.ip else f"workspace {workspace}",
            workspace_id=workspace,
            type=type_,
            severity=severity,
            actor=origin.actor.name,
            ip=origin.ip,
            request_id=origin.request_id,
            details=details,
        )


def page_after(
    workspace_id: str, criteria: SecurityFilter, cursor: str | None, size: int
) -> tuple[Sequence[SecurityEvent], str | None]:
    """The events after a cursor, newest first, and the next cursor."""
    after = cursors.decode(cursor) if cursor else None
    with unit_of_work() as session:
        rows = security_events.page_after(session, workspace_id, criteria, after, size + 1)
    noted = [from_attributes(SecurityEvent, row) for row in rows]
    return cursors.page(noted, size, lambda event: (event.at, event.id))
