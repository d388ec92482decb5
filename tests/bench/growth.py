"""What very many runs cost that are kept: lists beside them, and what deletes them again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from automations.kit.ids import new_id
from tests.bench.load import Request, measure
from tests.bench.lone_bridge import LoneBridge, lone_bridge
from tests.bench.measuring import ROOT, BenchError, plain_environment

REQUESTS = 200
"""Of each kind, one after another."""
READ_TARGET = 50.0
"""Milliseconds, of the p95."""
RATE_TARGET = 2_000
"""Runs a second that go with all that is theirs: ten minutes for a day of 10,000 a minute."""
LOOKED_AT = 20
"""Rows that may be looked at for one that is deleted; what grows with the table is far above."""
KEPT = timedelta(days=180)
"""Of the year over which what is seeded is spread."""
AUTOMATIONS = 100
STEPS = [
    {"id": f"step{n}", "name": f"Step {n}", "type": "condition", "order": n, "config": {}}
    for n in range(5)
]
COUNTED = ("run", "run_step", "step_log", "wait", "event", "audit_log", "security_event")

_RUNS = """
INSERT INTO event (id, workspace_id, type, trigger_key, data, actors, status, created_at)
SELECT 'e' || lpad(n::text, 24, '0'), %(workspace)s, 'T', 'event:T', '{"order": 1}', '[]',
       'MATCHED', clock_timestamp() - (%(runs)s - n) * (interval '1 year' / %(runs)s)
FROM generate_series(1, %(runs)s, 2) n;
INSERT INTO run (id, workspace_id, workflow_id, version, trigger_type, trigger_data, input,
                 variables, starters, status, event_id, started_at, completed_at)
SELECT 'c' || lpad(n::text, 24, '0'), %(workspace)s,
       (%(workflows)s::text[])[CASE WHEN n %% 10 = 0 THEN 1 ELSE n %% %(many)s + 1 END], 1,
       'event', '{}', '{}', '{}', '[]', (ARRAY['COMPLETED', 'COMPLETED', 'FAILED'])[n %% 3 + 1],
       CASE WHEN n %% 2 = 1 THEN 'e' || lpad(n::text, 24, '0') END, at, at
FROM generate_series(1, %(runs)s) n,
     LATERAL (SELECT clock_timestamp() - (%(runs)s - n) * (interval '1 year' / %(runs)s) AS at) t;
"""
# As they would have been made in that year; what is of no part goes row by row.
_PARTS = """
DO $$ DECLARE parent text; since timestamptz; BEGIN
    FOREACH parent IN ARRAY ARRAY['audit_log', 'security_event'] LOOP
        FOR since IN SELECT date_trunc('month', now()) - n * interval '1 month'
                     FROM generate_series(1, 12) n LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                parent || to_char(since, '_YYYY_MM'), parent, since, since + interval '1 month');
        END LOOP;
    END LOOP;
END $$
"""
# Their references are sound by how they are made, and are not checked one by one.
_OF_RUNS = """
SET session_replication_role = replica;
INSERT INTO run_step (run_id, node_id, status, generation, attempt, input, output, verdict,
                      started_at, ended_at)
SELECT id, 'step' || n, 'DONE', 0, 1, '{"expression": "true"}', '{"result": true}',
       '{"summary": {"result": true}, "targets": null}', started_at, started_at
FROM run, generate_series(0, 4) n;
INSERT INTO step_log (run_id, step_id, step_type, step_name, status, duration_ms, timestamp, output)
SELECT run_id, node_id, 'condition', node_id, 'success', 5, started_at, '{"result": true}'
FROM run_step;
INSERT INTO wait (id, run_id, node_id, generation, kind, status, due_at, created_at)
SELECT 'w' || substr(id, 2), id, 'step1', 0, 'decision', 'ANSWERED', started_at, started_at
FROM run WHERE event_id IS NULL;
INSERT INTO audit_log (workspace_id, at, actor_type, actor, action, resource_type, resource_id,
                       ip, request_id, details)
SELECT workspace_id, started_at, 'api_key', 'bench', 'workflow.execute', 'run', id, '127.0.0.1', id,
       '{"workflowId": "cmw000000000000000000000a"}'
FROM run ORDER BY started_at;
INSERT INTO security_event (id, workspace_id, at, type, severity, actor, ip, details)
SELECT 's' || substr(id, 2), workspace_id, started_at, 'auth.failed', 'WARNING', 'anonymous',
       '127.0.0.1', '{"path": "/api/workflows"}'
FROM run WHERE event_id IS NULL ORDER BY started_at;
SET session_replication_role = origin;
"""
_KEPT = """
SELECT coalesce(inhparent, relid)::regclass::text, sum(pg_total_relation_size(relid)),
       sum(n_live_tup), sum(n_dead_tup), sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))
FROM pg_stat_user_tables LEFT JOIN pg_inherits ON inhrelid = relid GROUP BY 1
"""


@dataclass(frozen=True)
class Kept:
    """What a table with its parts takes.

    Args:
        read: rows of it that were looked at so far.
    """

    bytes: int
    live: int
    dead: int
    read: int


def main(console: Console, runs: int) -> bool:
    """Seed, read, delete the older half, and print what each took; whether targets were met."""
    with tempfile.TemporaryDirectory(
        prefix="automations-bench-", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        os.chmod(folder, 0o711)
        with lone_bridge(folder) as bridge:
            began = time.monotonic()
            workflow = _seed(bridge, runs)
            seconds = time.monotonic() - began
            console.print(f"Seeded {runs:,} runs of {len(STEPS)} steps in {seconds:.0f} s.")
            met = _read(console, bridge, workflow)
            for extras in ((), ("--audit",)):
                met &= _prune(console, bridge, folder, extras)
            console.print("Afterwards:")
            return met & _read(console, bridge, workflow)


def _seed(bridge: LoneBridge, runs: int) -> str:
    ids = [new_id() for _ in range(AUTOMATIONS)]
    with _cursor(bridge) as cursor:
        cursor.execute("SELECT id FROM workspace")
        [workspace] = cursor.fetchone()
        for number, workflow in enumerate(ids):
            name = f"Automation {number}"
            definition = {"name": name, "trigger": {"type": "manual"}, "steps": STEPS}
            cursor.execute(
                "INSERT INTO workflow (id, workspace_id, name, status, version)"
                " VALUES (%s, %s, %s, 'ACTIVE', 1)",
                (workflow, workspace, name),
            )
            cursor.execute(
                "INSERT INTO workflow_version"
                " (id, workflow_id, version, revision, status, definition)"
                " VALUES (%s, %s, 1, %s, 'ACTIVE', %s)",
                (new_id(), workflow, number + 1, json.dumps(definition)),
            )
        values = {"workspace": workspace, "workflows": ids, "many": len(ids), "runs": runs}
        cursor.execute(_PARTS)
        cursor.execute(_RUNS, values)
        cursor.execute(_OF_RUNS)
        cursor.execute("VACUUM ANALYZE")
    return ids[0]


def _read(console: Console, bridge: LoneBridge, workflow: str) -> bool:
    headers = {"Authorization": f"Bearer {bridge.key}"}
    table = Table(title=f"{REQUESTS} requests each; milliseconds")
    for column in ("what", "p50", "p95", "p99", f"p95 under {READ_TARGET:.0f}"):
        table.add_column(column, justify="left" if column == "what" else "right")
    met = True
    for what, path in (
        ("stats", "/api/workflows/stats"),
        ("runs of the busiest, first page", f"/api/workflows/{workflow}/runs"),
        ("its FAILED runs", f"/api/workflows/{workflow}/runs?status=FAILED"),
        ("audit log, first page", "/api/audit-logs"),
        ("audit log of a month", f"/api/audit-logs?{_month()}"),
        ("security events, first page", "/api/security-events"),
    ):
        latencies = measure(
            bridge.address,
            lambda _, path=path: Request("GET", path),  # type: ignore[misc]
            clients=1,
            requests=REQUESTS,
            headers=headers,
        )
        fits = latencies.p95 < READ_TARGET
        met &= fits
        figures = (f"{figure:.1f}" for figure in (latencies.p50, latencies.p95, latencies.p99))
        table.add_row(what, *figures, "kept" if fits else "[red]missed[/]")
    console.print(table)
    return met


def _month() -> str:
    """A month that is kept, as a query."""
    since = datetime.now(UTC) - timedelta(days=100)
    until = since + timedelta(days=30)
    return f"since={since:%Y-%m-%dT%H:%M:%SZ}&until={until:%Y-%m-%dT%H:%M:%SZ}"


def _prune(console: Console, bridge: LoneBridge, folder: Path, extras: tuple[str, ...]) -> bool:
    before = _kept(bridge)
    began = time.monotonic()
    deleted = _deleted(bridge, folder, extras)
    seconds = time.monotonic() - began
    after = _kept(bridge)
    with _cursor(bridge) as cursor:
        cursor.execute("VACUUM ANALYZE")
    tidied = _kept(bridge)
    table = Table(title=f"{' '.join(('prune', *extras))}: {seconds:.1f} s")
    for column in ("table", "deleted", "read for each", "MB before", "after", "vacuumed", "dead"):
        table.add_column(column, justify="left" if column == "table" else "right")
    met = True
    for name in COUNTED:
        if not (gone := deleted.get(name, 0)):
            continue
        # What was read of parts that are gone is not known any more.
        looked = max(after[name].read - before[name].read, 0) / gone
        met &= looked <= LOOKED_AT
        sizes = (f"{found[name].bytes / 1e6:.0f}" for found in (before, after, tidied))
        looked_at = f"{looked:.1f}" if looked <= LOOKED_AT else f"[red]{looked:.0f}[/]"
        table.add_row(name, f"{gone:,}", looked_at, *sizes, f"{after[name].dead:,}")
    console.print(table)
    if runs := deleted.get("run", 0):
        rate = runs / seconds
        console.print(f"{rate:,.0f} runs a second; {RATE_TARGET:,} is the aim.", highlight=False)
        met &= rate >= RATE_TARGET
    return met


def _deleted(bridge: LoneBridge, folder: Path, extras: tuple[str, ...]) -> dict[str, int]:
    before = (datetime.now(UTC) - KEPT).isoformat()
    done = subprocess.run(
        [sys.executable, "-m", "api_bridge.prune", "--before", before, "--keep-dag-runs", *extras],
        env={
            **plain_environment(),
            "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("include", ".")),
            "AUTOMATIONS_HOME": str(folder),
            "AUTOMATIONS_DATABASE_DSN": bridge.dsn,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(done.stderr)
    matches = re.findall(r"^ *([\d,]+)  (\w+)$", done.stdout, flags=re.MULTILINE)
    return {table: int(number.replace(",", "")) for number, table in matches}


def _kept(bridge: LoneBridge) -> Mapping[str, Kept]:
    """By table, with its parts."""
    with _cursor(bridge) as cursor:
        cursor.execute(_KEPT)
        return {row[0]: Kept(*(int(value) for value in row[1:])) for row in cursor.fetchall()}


@contextmanager
def _cursor(bridge: LoneBridge) -> Iterator[Any]:
    connection = bridge.connect()
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
