"""Security events as they are stored."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db import keyset_pages, rate_limits
from automations.db.tables import SecurityEvent, Workspace
from automations.domain.audit import SecurityFilter
from automations.domain.statuses import Severity
from automations.kit.ids import new_id

MAX_PER_MINUTE = 20
"""So many events of one address are stored in a minute; the rest is counted in one more."""
FLOOD = "events.suppressed"
_WINDOW = 60
"""Seconds, after which a flood is told of anew."""
# What concerns no known workspace is for those who run the installation.
_HOME = "default"


def add(session: Session, source: str, **values: Any) -> None:
    """Store an event, or only count it when its source has had many in this minute.

    Args:
        source: the network that the event comes from, or the workspace whose steps cause it.
    """
    key = f"security:{source}"
    if rate_limits.hit(session, key, limit=MAX_PER_MINUTE, seconds=_WINDOW) is None:
        session.add(SecurityEvent(**values))
        return
    flood = {
        "id": new_id(),
        # An address may try many workspaces in one minute.
        "workspace_id": None if values["ip"] else values["workspace_id"],
        "type": FLOOD,
        "severity": Severity.HIGH,
        "actor": values["actor"] if values["ip"] is None else "anonymous",
        "ip": values["ip"],
        "details": {"source": source},
        "flood_key": f"{key}:{int(time.time()) // _WINDOW}",
    }
    session.execute(
        insert(SecurityEvent)
        .values(**flood)
        .on_conflict_do_update(
            index_elements=["flood_key"], set_={"count": SecurityEvent.count + 1}
        )
    )


def page_after(
    session: Session,
    workspace_id: str,
    wanted: SecurityFilter,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[SecurityEvent]:
    """The events that come behind one in a list with the newest first."""
    query = _fitting(workspace_id, wanted)
    return keyset_pages.page_after(
        session, query, (SecurityEvent.at, SecurityEvent.id), after, limit
    )


def all_of(session: Session, workspace_id: str, wanted: SecurityFilter) -> Iterator[SecurityEvent]:
    """Every event that fits, the oldest first, a part of them in memory at a time."""
    oldest_first = _fitting(workspace_id, wanted).order_by(SecurityEvent.at, SecurityEvent.id)
    return iter(session.scalars(oldest_first.execution_options(yield_per=1_000)))


def _fitting(workspace_id: str, wanted: SecurityFilter) -> Select[Any]:
    home = select(func.count()).where(Workspace.id == workspace_id, Workspace.slug == _HOME)
    query = select(SecurityEvent).where(
        or_(
            SecurityEvent.workspace_id == workspace_id,
            SecurityEvent.workspace_id.is_(None) & (home.scalar_subquery() > 0),
        )
    )
    columns = {
        SecurityEvent.type: wanted.type,
        SecurityEvent.severity: wanted.severity,
        SecurityEvent.ip: wanted.ip,
        SecurityEvent.actor: wanted.actor,
    }
    query = keyset_pages.equal(query, columns)
    return keyset_pages.between(query, SecurityEvent.at, wanted.since, wanted.until)
