"""Receives events from outside in a few plain statements, since this is the hot path."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, text

from automations.db.queue.jobs import WAKE
from automations.db.session import statement
from automations.domain.events import NewEvent
from automations.kit.ids import new_id

_HOOK = text("""
SELECT id, workspace_id, version FROM workflow
WHERE webhook_hash = :hash AND deleted_at IS NULL
""")

_TAKE = text("""
WITH taken AS (
    INSERT INTO event (
        id, workspace_id, type, trigger_key, data, actors, source, external_id, signature, raw
    ) VALUES (
        :id, :workspace_id, :type, :trigger_key, CAST(:data AS json), CAST(:actors AS json),
        :source, :external_id, :signature, :raw
    )
    ON CONFLICT DO NOTHING RETURNING id
), queued AS (
    INSERT INTO job (kind, subject_id) SELECT 'match_event', id FROM taken
)
SELECT id, pg_notify(:channel, '') FROM taken
""")

_KNOWN = text("""
SELECT id FROM event
WHERE workspace_id = :workspace_id AND source = :source
    AND (external_id = :external_id OR signature = :signature)
ORDER BY created_at LIMIT 1
""")


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_SOURCE_LOCKS = 64
"""Of a workspace: a batch may be of as many sources as it has events, and PostgreSQL holds few."""


@dataclass(frozen=True, slots=True)
class Hook:
    """The automation that a webhook URL belongs to."""

    workflow_id: str
    workspace_id: str
    version: int


def hook(token_hash: str) -> Hook | None:
    """Whose webhook URL has the token of this hash."""
    with statement() as connection:
        row = connection.execute(_HOOK, {"hash": token_hash}).first()
    return Hook(*row) if row else None


def lock_sources(connection: Connection, workspace_id: str, sources: Iterable[str]) -> None:
    """Have batches of the same sources taken one after the other.

    Two that have the same events in other orders would each wait for an event of the other's.
    """
    for place in sorted({zlib.crc32(source.encode()) % _SOURCE_LOCKS for source in sources}):
        connection.execute(_LOCK, {"name": f"events:{workspace_id}:{place}"})


def take(connection: Connection, workspace_id: str, new: NewEvent) -> tuple[str, bool]:
    """Insert an event to be matched; one that its source has sent before is not inserted.

    Returns:
        The event's id, and whether it is new.
    """
    values = {
        "id": new_id(),
        "workspace_id": workspace_id,
        "type": new.kind,
        "trigger_key": new.trigger_key,
        "data": json.dumps(new.data, ensure_ascii=False),
        "actors": json.dumps(list(new.actors)),
        "source": new.source,
        "external_id": new.external_id,
        "signature": new.signature,
        "raw": new.raw,
        "channel": WAKE,
    }
    inserted = connection.execute(_TAKE, values).first()
    if inserted is not None:
        return str(inserted[0]), True
    return str(connection.execute(_KNOWN, values).scalar_one()), False
