"""Changes of tables, runs, documents and evidence in a span of time, as Airflow's assets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

# What a DAG has handed over is an event of its asset by itself.
_TABLES = text("""
SELECT event.data ->> 'tableId' AS subject_id, count(*) AS number, max(event.id) AS last_id
FROM workspace JOIN event ON event.workspace_id = workspace.id
    AND event.created_at > :since AND event.created_at <= :until
WHERE event.type IN ('ROW_ADDED', 'RECORD_UPDATED', 'TABLE_SYNCED')
    AND event.data ->> 'tableId' = ANY (CAST(:ids AS text[]))
    AND NOT EXISTS (
        SELECT FROM pipeline_run sync
        WHERE sync.id = event.data ->> 'pipelineRunId' AND sync.started_by = 'airflow'
    )
GROUP BY 1 ORDER BY 1
""")
_WORKFLOWS = text("""
SELECT workflow_id AS subject_id, count(*) AS number,
    (array_agg(id ORDER BY completed_at DESC))[1] AS last_id
FROM run
WHERE completed_at > :since AND completed_at <= :until AND status = 'COMPLETED'
    AND trigger_type <> 'test' AND workflow_id = ANY (CAST(:ids AS text[]))
GROUP BY 1 ORDER BY 1
""")
# By workspace, as they are indexed.
_DOCUMENTS = text("""
SELECT document.template_id AS subject_id, count(*) AS number,
    (array_agg(document.id ORDER BY document.created_at DESC))[1] AS last_id
FROM workspace JOIN document ON document.workspace_id = workspace.id
    AND document.created_at > :since AND document.created_at <= :until
WHERE document.template_id = ANY (CAST(:ids AS text[]))
GROUP BY 1 ORDER BY 1
""")
# By their numbers, from the last one back: a chain is long, and none of it is ever deleted.
_EVIDENCE = text("""
SELECT workspace.slug AS subject_id, newest.number - coalesce(older.number, 0) AS number,
    newest.id AS last_id
FROM workspace
    CROSS JOIN LATERAL (
        SELECT id, number FROM evidence_snapshot
        WHERE workspace_id = workspace.id AND created_at <= :until
        ORDER BY number DESC LIMIT 1
    ) AS newest
    LEFT JOIN LATERAL (
        SELECT number FROM evidence_snapshot
        WHERE workspace_id = workspace.id AND created_at <= :since
        ORDER BY number DESC LIMIT 1
    ) AS older ON true
WHERE workspace.slug = ANY (CAST(:ids AS text[])) AND newest.number > coalesce(older.number, 0)
ORDER BY 1
""")
# What a statement stamps is a little older than the number its transaction gets by it.
_SETTLED = text("""
SELECT greatest(least(min(xact_start), clock_timestamp()), clock_timestamp() - :timeout)
    - interval '1 second'
FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class Change:
    """What has happened to one subject.

    Args:
        number: how often.
        last_id: the last event of a table, run of an automation, document or snapshot.
    """

    subject_id: str
    number: int
    last_id: str


def settled_until(session: Session, timeout: timedelta) -> datetime:
    """The moment up to which all is committed that was stamped: none who writes began before it.

    Args:
        timeout: for how long a transaction that goes on is waited for.
    """
    instant: datetime = session.execute(_SETTLED, {"timeout": timeout}).scalar_one()
    return instant


def of_tables(
    session: Session, ids: Collection[str], since: datetime, until: datetime
) -> Sequence[Change]:
    """Events of rows that were added or changed, by table."""
    return _query_changes(session, _TABLES, ids, since, until)


def of_workflows(
    session: Session, ids: Collection[str], since: datetime, until: datetime
) -> Sequence[Change]:
    """Runs that have completed, by automation."""
    return _query_changes(session, _WORKFLOWS, ids, since, until)


def of_documents(
    session: Session, ids: Collection[str], since: datetime, until: datetime
) -> Sequence[Change]:
    """Documents that were made, by template."""
    return _query_changes(session, _DOCUMENTS, ids, since, until)


def of_evidence(
    session: Session, ids: Collection[str], since: datetime, until: datetime
) -> Sequence[Change]:
    """Snapshots that were taken, by the workspace's slug."""
    return _query_changes(session, _EVIDENCE, ids, since, until)


def _query_changes(
    session: Session, query: object, ids: Collection[str], since: datetime, until: datetime
) -> list[Change]:
    values = {"ids": list(ids), "since": since, "until": until}
    rows = session.execute(query, values)  # type: ignore[call-overload]  # one of those above
    return [Change(row.subject_id, row.number, row.last_id) for row in rows]
