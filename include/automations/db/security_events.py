"""The stored security events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Select, func, or_, select, union_all, update
from sqlalchemy.orm import Session, aliased

from automations.db import keyset_pages
from automations.db.access import rate_limits
from automations.db.tables import SecurityEvent, Workspace
from automations.domain.audit import SecurityFilter
from automations.domain.statuses import Severity

MAX_PER_MINUTE = 20
"""So many events of one address are stored in a minute; the rest is counted in one more."""
FLOOD = "events.suppressed"
_WINDOW = timedelta(minutes=1)
"""After which a flood is told of again."""
# What concerns no known workspace is for those who run the installation.
_HOME = "default"


def add(session: Session, source: str, **values: Any) -> None:
    """Store an event, or only count it when its source has had many in this minute.

    Args:
        source: the network that the event comes from, or the workspace whose steps cause it.
    """
    key = f"security:{source}"
    if rate_limits.hit(session, key, limit=MAX_PER_MINUTE, seconds=_WINDOW.seconds) is None:
        session.add(SecurityEvent(**values))
        return
    # Who has counted a hit holds that count until this is committed: there is no other at it.
    counted = session.execute(
        update(SecurityEvent)
        .where(SecurityEvent.flood_key == key, SecurityEvent.at > func.now() - _WINDOW)
        .values(count=SecurityEvent.count + 1)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(counted, CursorResult)
    if counted.rowcount:
        return
    session.add(
        SecurityEvent(
            # An address may try many workspaces in one minute.
            workspace_id=None if values["ip"] else values["workspace_id"],
            type=FLOOD,
            severity=Severity.HIGH,
            actor=values["actor"] if values["ip"] is None else "anonymous",
            ip=values["ip"],
            details={"source": source},
            flood_key=key,
        )
    )


def page_after(
    session: Session,
    workspace_id: str,
    criteria: SecurityFilter,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[SecurityEvent]:
    """The events that come behind one in a list with the newest first."""
    place = (SecurityEvent.at, SecurityEvent.id)
    # Each by its own way through the index: one condition on both would read all that there are;
    # and that all of nobody's are in one place of it PostgreSQL sees by their order alone.
    newest = [
        keyset_pages.newest(
            _fitting(owner, criteria).order_by(SecurityEvent.workspace_id), place, after, limit
        )
        for owner in _owners(session, workspace_id)
    ]
    event = aliased(SecurityEvent, union_all(*newest).subquery())
    return keyset_pages.page_after(session, select(event), (event.at, event.id), None, limit)


def all_of(
    session: Session, workspace_id: str, criteria: SecurityFilter
) -> Iterator[SecurityEvent]:
    """Every event that fits, the oldest first, a part of them in memory at a time."""
    owner = or_(*_owners(session, workspace_id))
    oldest_first = _fitting(owner, criteria).order_by(SecurityEvent.at, SecurityEvent.id)
    return iter(session.scalars(oldest_first.execution_options(yield_per=1_000)))


def _owners(session: Session, workspace_id: str) -> list[ColumnElement[bool]]:
    """Whose events a workspace sees: its own, and for those who run it all, nobody's, too."""
    own = SecurityEvent.workspace_id == workspace_id
    home = select(Workspace.id).where(Workspace.id == workspace_id, Workspace.slug == _HOME)
    if session.scalar(home) is None:
        return [own]
    return [own, SecurityEvent.workspace_id.is_(None)]


def _fitting(owner: ColumnElement[bool], criteria: SecurityFilter) -> Select[Any]:
    query = select(SecurityEvent).where(owner)
    columns = {
        SecurityEvent.type: criteria.type,
        SecurityEvent.severity: criteria.severity,
        SecurityEvent.ip: criteria.ip,
        SecurityEvent.actor: criteria.actor,
    }
    query = keyset_pages.equal(query, columns)
    return keyset_pages.between(query, SecurityEvent.at, criteria.since, criteria.until)
