"""How fast the API answers with a million runs and ten thousand automations in the database."""

from __future__ import annotations

import io
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
from rich.console import Console
from rich.table import Table

from automations.kit.ids import new_id
from tests.bench.load import Latencies, Request, measure
from tests.bench.lone_bridge import LoneBridge, lone_bridge

READ_TARGET = 50.0
EXECUTE_TARGET = 80.0
CLIENTS = (1, 16)
BUSIEST_SHARE = 10
"""One automation has a tenth of all runs."""

STEPS = [
    {
        "id": f"step{number}",
        "name": f"Step {number}",
        "type": "condition",
        "order": number,
        "config": {"expression": "true"},
    }
    for number in range(5)
]


def main(console: Console, runs: int, automations: int, requests: int, processes: int) -> bool:
    """Measure everything and print the table; whether every target was met."""
    with tempfile.TemporaryDirectory(
        prefix="automations-bench-", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        os.chmod(folder, 0o711)
        with lone_bridge(folder, serving=processes) as bridge:
            began = time.monotonic()
            ids, run_id = _seed(bridge, runs, automations)
            seconds = time.monotonic() - began
            console.print(f"Seeded {runs:,} runs of {automations:,} automations: {seconds:.0f} s.")
            console.print(f"Processes of the bridge: {processes}.", highlight=False)
            return _report(console, bridge, _asked(ids, run_id), requests)


def _asked(ids: list[str], run_id: str) -> dict[str, Callable[[int], Request]]:
    busiest = f"/api/workflows/{ids[0]}"

    def reading(path: str) -> Callable[[int], Request]:
        return lambda number: Request("GET", path)

    return {
        "automations, first page": reading("/api/workflows?limit=20"),
        "stats": reading("/api/workflows/stats"),
        "runs, first page": reading(f"{busiest}/runs"),
        "run": reading(f"{busiest}/runs/{run_id}"),
        "execute": lambda number: Request(
            "POST",
            f"/api/workflows/{ids[number % len(ids)]}/execute",
            b'{"input": {}}',
            {"Content-Type": "application/json"},
        ),
    }


def _report(
    console: Console,
    bridge: LoneBridge,
    asked: dict[str, Callable[[int], Request]],
    requests: int,
) -> bool:
    table = Table(title=f"{requests} requests each; milliseconds")
    for column in ("what", "clients", "p50", "p95", "p99", "requests/s", "p50 / bare", "target"):
        table.add_column(column, justify="left" if column == "what" else "right")
    met = True
    headers = {"Authorization": f"Bearer {bridge.key}"}
    for clients in CLIENTS:
        bare = {
            method: _measured(bridge.bare, Request(method, "/row"), clients, requests)
            for method in ("GET", "POST")
        }
        for what, request in asked.items():
            method = request(0).method
            target = READ_TARGET if method == "GET" else EXECUTE_TARGET
            found = measure(
                bridge.address, request, clients=clients, requests=requests, headers=headers
            )
            fits = found.p95 < target
            met &= fits
            _row(table, what, clients, found, bare[method], f"p95 {target:.0f}", fits)
        for method, found in bare.items():
            _row(table, f"bare FastAPI, {method} of one row", clients, found, found, "", True)
        table.add_section()
    console.print(table)
    load = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} CPUs; load average {load:.1f} at the end.", highlight=False)
    return met


def _measured(address: str, request: Request, clients: int, requests: int) -> Latencies:
    return measure(address, lambda _: request, clients=clients, requests=requests, headers={})


def _row(
    table: Table,
    what: str,
    clients: int,
    found: Latencies,
    bare: Latencies,
    target: str,
    fits: bool,
) -> None:
    table.add_row(
        what,
        str(clients),
        *(f"{figure:.1f}" for figure in (found.p50, found.p95, found.p99)),
        f"{found.rate:.0f}",
        f"{found.p50 / bare.p50:.1f}",
        target if fits else f"[red]{target}[/]",
    )


def _seed(bridge: LoneBridge, runs: int, automations: int) -> tuple[list[str], str]:
    """Fill the database by COPY; ids of the automations, the busiest first, and of a run of it."""
    connection = bridge.connect()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM workspace")
            [workspace] = cursor.fetchone() or [""]
            ids = [new_id() for _ in range(automations)]
            _seed_automations(cursor, workspace, ids)
            run_ids = _seed_runs(cursor, workspace, ids, runs)
            _seed_steps(cursor, run_ids[:1000])
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        return ids, run_ids[0]
    finally:
        connection.close()


def _seed_automations(cursor: Any, workspace: str, ids: list[str]) -> None:
    trigger = {"type": "manual"}
    rows, versions = io.StringIO(), io.StringIO()
    for number, workflow in enumerate(ids):
        name = f"Automation {number}"
        definition = json.dumps({"name": name, "trigger": trigger, "steps": STEPS})
        rows.write(f"{workflow}\t{workspace}\t{name}\tACTIVE\t1\n")
        versions.write(f"{new_id()}\t{workflow}\t1\t{number + 1}\tACTIVE\t{definition}\n")
    _copy(cursor, "workflow (id, workspace_id, name, status, version)", rows)
    _copy(
        cursor,
        "workflow_version (id, workflow_id, version, revision, status, definition)",
        versions,
    )


def _seed_runs(cursor: Any, workspace: str, ids: list[str], runs: int) -> list[str]:
    """Returns the ids of the busiest automation's runs, newest first."""
    rows, busiest = io.StringIO(), []
    for number in range(runs):
        run_id = new_id()
        workflow = ids[number % len(ids)]
        if number % BUSIEST_SHARE == 0:
            workflow = ids[0]
            busiest.append(run_id)
        status = "FAILED" if number % 20 == 0 else "COMPLETED"
        minutes = (
            f"2026-01-01 00:00:00+00\t2026-01-01 00:{number // 60 % 60:02}:{number % 60:02}+00"
        )
        rows.write(
            f"{run_id}\t{workspace}\t{workflow}\t1\t{status}\tmanual\t{{}}\t{{}}\t{{}}\t[]\t{minutes}\n"
        )
    _copy(
        cursor,
        "run (id, workspace_id, workflow_id, version, status, trigger_type,"
        " trigger_data, input, variables, starters, started_at, completed_at)",
        rows,
    )
    return busiest


def _seed_steps(cursor: Any, run_ids: list[str]) -> None:
    steps, logs = io.StringIO(), io.StringIO()
    for run_id in run_ids:
        for step in STEPS:
            at = "2026-01-01 00:00:00+00"
            output = json.dumps({"result": True})
            steps.write(f"{run_id}\t{step['id']}\tDONE\t0\t1\t{{}}\t{output}\t{at}\t{at}\n")
            logs.write(
                f"{run_id}\t{step['id']}\tcondition\t{step['name']}\tsuccess\t3\t{at}\t{output}\n"
            )
    _copy(
        cursor,
        "run_step (run_id, node_id, status, generation, attempt, input, output,"
        " started_at, ended_at)",
        steps,
    )
    _copy(
        cursor,
        "step_log (run_id, step_id, step_type, step_name, status, duration_ms, timestamp, output)",
        logs,
    )


def _copy(cursor: psycopg2.extensions.cursor, table: str, rows: io.StringIO) -> None:
    rows.seek(0)
    cursor.copy_expert(f"COPY {table} FROM STDIN", rows)
