"""However much is kept, a page of a list or of what is deleted reads little but itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from automations.db import audit, retention, security_events
from automations.db.session import Session, engine, unit_of_work
from automations.db.tables import Workspace
from automations.domain.audit import AuditFilter, SecurityFilter
from tests.db.workspace import automation, workspace

MANY = 20_000
PAGE = 50
BEFORE = datetime.now(UTC) - timedelta(days=90)
# Half of each is of today, and half is old, in the order in which they were added.
SEED = """
INSERT INTO audit_log (workspace_id, at, actor_type, actor, action, resource_type, resource_id,
                       details)
SELECT :here, now() - CASE WHEN n % 2 = 0 THEN n * interval '1 second' ELSE interval '1 year' END,
       'system', 's', 'a.b', 'run', 'x', '{}' FROM generate_series(1, :many) n;
INSERT INTO security_event (id, workspace_id, at, type, severity, actor, details)
SELECT 's' || lpad(n::text, 24, '0'), CASE WHEN n % 3 = 0 THEN :here END,
       now() - CASE WHEN n % 2 = 0 THEN n * interval '1 second' ELSE interval '1 year' END,
       'auth.failed', 'INFO', 'a', '{}' FROM generate_series(1, :many) n;
INSERT INTO event (id, workspace_id, type, trigger_key, data, actors, status, created_at)
SELECT 'e' || lpad(n::text, 24, '0'), :here, 'T', 'event:T', '{}', '[]',
       CASE WHEN n % 2 = 0 THEN 'PENDING' ELSE 'MATCHED' END, '2020-01-01'
FROM generate_series(1, :many) n;
"""
_READ = text("""
SELECT coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)
FROM pg_stat_xact_user_tables
WHERE EXISTS (SELECT FROM unnest(CAST(:tables AS text[])) name WHERE relname LIKE name || '%')
""")


@pytest.fixture
def here(database: str) -> str:
    made = workspace()
    with unit_of_work() as session:
        session.get_one(Workspace, made).slug = "default"
        for statement in filter(str.strip, SEED.split(";\n")):
            session.execute(text(statement), {"here": made, "many": MANY})
    with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return made


class Looked:
    """At how many rows of some tables a transaction has looked."""

    rows = 0


@contextmanager
def looking(*tables: str) -> Iterator[tuple[Session, Looked]]:
    looked = Looked()
    with unit_of_work() as session:
        # Tables as small as these are soonest read as a whole, which is not to be known here.
        session.execute(text("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"))
        before = int(session.scalar(_READ, {"tables": list(tables)}) or 0)
        yield session, looked
        session.flush()
        looked.rows = int(session.scalar(_READ, {"tables": list(tables)}) or 0) - before


def test_a_page_of_security_events_reads_little_but_itself(here: str) -> None:
    after = None
    for _ in range(2):
        with looking("security_event") as (session, looked):
            page = security_events.page_after(session, here, SecurityFilter(), after, PAGE)
        assert len(page) == PAGE
        assert looked.rows < 10 * PAGE
        after = (page[-1].at, page[-1].id)
        assert [(e.at, e.id) for e in page] == sorted(((e.at, e.id) for e in page), reverse=True)
        assert {event.workspace_id for event in page} == {here, None}


def test_a_page_of_the_audit_log_reads_little_but_itself(here: str) -> None:
    with looking("audit_log") as (session, looked):
        page = audit.page_after(session, here, AuditFilter(), None, PAGE)
    assert len(page) == PAGE
    assert looked.rows < 10 * PAGE


@pytest.mark.parametrize("with_runs", [False, True], ids=["of no run", "of runs that are gone"])
def test_a_page_of_what_is_deleted_passes_nothing_that_the_one_before_has_passed(
    here: str, with_runs: bool
) -> None:
    if with_runs:
        started_and_pruned(here)
    with unit_of_work() as session:
        place = retention.delete_events(session, BEFORE, None).last
    assert place is not None
    with looking("event", "run") as (session, looked):
        retention.delete_events(session, BEFORE, place)
    assert looked.rows < 10 * retention.BATCH_SIZE


def started_and_pruned(here: str) -> None:
    """Runs that most events have started, as PostgreSQL knows them; a prune has just begun."""
    runs = """
        INSERT INTO run (id, workspace_id, workflow_id, version, trigger_type, trigger_data, input,
                         variables, starters, status, event_id, started_at, completed_at)
        SELECT 'c' || substr(id, 2), :here, :workflow, 1, 'event', '{}', '{}', '{}', '[]',
               'COMPLETED', id, created_at, created_at FROM event
        """
    with unit_of_work() as session:
        session.execute(text(runs), {"here": here, "workflow": automation(here)})
    with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE run"))
    with unit_of_work() as session:
        session.execute(text("DELETE FROM run WHERE id < 'c' || lpad('15000', 24, '0')"))
