"""How fast events are taken in, how soon they start runs, and whether a burst loses any."""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from uuid import uuid4

import psycopg2
import requests
from rich.console import Console
from rich.table import Table

from tests.bench import sync
from tests.bench.load import Latencies, Request, measure
from tests.bench.lone_bridge import LoneBridge, lone_bridge
from tests.bench.measuring import BenchError, answer_of, until
from tests.bench.product import Stack

RATE_TARGET = 300
P99_TARGET = 100.0
DISPATCH_TARGET = 300.0
CLIENTS = 16
SYNC_TARGET = 60.0
IDLE_EVENTS = 30
TIMEOUT_PER_RUN = 1.0
DURABLE = "durable intake"

STEPS = [{"name": "Check", "type": "condition", "order": 0, "config": {"expression": "true"}}]
WEBHOOK = {
    "name": "Hook",
    "status": "ACTIVE",
    "trigger": {"type": "webhook", "verification": "none"},
    "steps": STEPS,
}
ON_EVENT = {
    "name": "On an event",
    "status": "ACTIVE",
    "trigger": {"type": "event", "triggerType": "bench.tick"},
    "steps": STEPS,
}


def main(console: Console, deliveries: int, burst: int, records: int) -> bool:
    """Measure everything and print the table; whether every target was met."""
    table = Table(title="Events")
    for column in ("what", "measured", "target", ""):
        table.add_column(column, justify="left" if column == "what" else "right")
    with tempfile.TemporaryDirectory(
        prefix="automations-bench-", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        os.chmod(folder, 0o711)
        report = Report(table)
        try:
            source = sync.Alerts(records)
            with (
                source.answering(),
                lone_bridge(folder / "lone", "embedded", source.address) as bridge,
            ):
                _intake(report, bridge, deliveries)
                _sync(report, bridge, source, records)
            _dispatch(console, report, folder / "home", burst)
        finally:
            console.print(table)
            load = os.getloadavg()[0]
            console.print(f"{os.cpu_count()} CPUs; load average {load:.1f}.", highlight=False)
    return report.met


class Report:
    """The table, and whether every target in it was met."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.met = True

    def row(self, what: str, measured: str, target: str = "", kept: bool | None = None) -> None:
        self.met &= kept is not False
        verdict = {True: "[green]kept[/]", False: "[red]missed[/]", None: ""}[kept]
        self._table.add_row(what, measured, target, verdict)

    def intake(self, what: str, found: Latencies, bare: Latencies) -> None:
        self.row(
            f"{DURABLE}, {what}: a second",
            f"{found.rate:.0f}",
            f"{RATE_TARGET}",
            found.rate >= RATE_TARGET,
        )
        self.row("    p50, p95", f"{found.p50:.1f}, {found.p95:.1f} ms")
        self.row("    p99", f"{found.p99:.1f} ms", f"{P99_TARGET:.0f} ms", found.p99 < P99_TARGET)
        self.row("    rate / bare FastAPI that inserts a row", f"{found.rate / bare.rate:.2f}")


def _intake(report: Report, bridge: LoneBridge, deliveries: int) -> None:
    """Beside the dispatcher, which matches what comes in; Airflow is away."""
    headers = {"Authorization": f"Bearer {bridge.key}"}
    answer = requests.post(
        f"{bridge.address}/api/workflows", json=WEBHOOK, headers=headers, timeout=30
    )
    hook = answer_of(answer)["webhookUrl"]
    path = hook.removeprefix(bridge.address)
    load = partial(measure, clients=CLIENTS, requests=deliveries)
    bare = load(bridge.bare, lambda _: Request("POST", "/row"), headers={})
    hooks = load(bridge.address, lambda n: _delivery(path, n), headers=headers)
    report.intake("webhooks", hooks, bare)
    report.intake("CloudEvents", load(bridge.address, _cloud_event, headers=headers), bare)
    with closing(bridge.connect()) as connection:
        connection.autocommit = True
        until("every event to be matched", lambda: _all_matched(connection), 300)
        lost, doubled = _lost_and_doubled(connection, deliveries)
    report.row(
        "    deliveries without a run, with several",
        f"{lost}, {doubled}",
        "0, 0",
        lost == doubled == 0,
    )


def _sync(report: Report, bridge: LoneBridge, source: sync.Alerts, records: int) -> None:
    for what, found in (
        (
            f"sync of {records:,} alerts from {len(source.pages)} pages",
            sync.pull(bridge, source, records),
        ),
        (f"push of {records:,} records", sync.push(bridge, records)),
    ):
        report.row(
            what, f"{found.seconds:.1f} s", f"{SYNC_TARGET:.0f} s", found.seconds < SYNC_TARGET
        )
        report.row(
            "    memory of the bridge before, peak", f"{found.before:.0f}, {found.peak:.0f} MB"
        )


def _delivery(path: str, number: int) -> Request:
    body = json.dumps({"order": number, "lines": [{"sku": "A-1", "count": 3}] * 5}).encode()
    return Request(
        "POST",
        path,
        body,
        {"Content-Type": "application/json", "webhook-id": f"delivery-{number}"},
    )


def _cloud_event(number: int) -> Request:
    event = {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "/bench",
        "type": "bench.unheard",
        "data": {"number": number},
    }
    return Request(
        "POST",
        "/api/events",
        json.dumps(event).encode(),
        {"Content-Type": "application/cloudevents+json"},
    )


def _all_matched(connection: Any) -> bool | None:
    return _number(connection, "SELECT count(*) FROM event WHERE status = 'PENDING'") == 0 or None


def _lost_and_doubled(connection: Any, deliveries: int) -> tuple[int, int]:
    one_run = """
        SELECT count(*) FROM (
            SELECT event.external_id FROM event JOIN run ON run.event_id = event.id
            WHERE event.type = 'WEBHOOK' GROUP BY event.external_id HAVING count(*) {}
        ) found
    """
    started = _number(connection, one_run.format(">= 1"))
    return deliveries - started, _number(connection, one_run.format("> 1"))


def _number(connection: Any, query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])


def _dispatch(console: Console, report: Report, home: Path, burst: int) -> None:
    stack = Stack(home)
    try:
        console.print("Starting a stack …")
        stack.up()
        listening = stack.post("/api/workflows", ON_EVENT)["id"]
        stack.wait_runnable(listening)
        with closing(psycopg2.connect(stack.dsn())) as connection:
            connection.autocommit = True
            waits = [_time_dispatch(stack, connection) for _ in range(IDLE_EVENTS + 1)][1:]
            figure = median(waits)
            report.row(
                "event to DagRun, idle: median",
                f"{figure:.0f} ms",
                f"{DISPATCH_TARGET:.0f} ms",
                figure < DISPATCH_TARGET,
            )
            report.row("    p95", f"{quantiles(waits, n=20)[-1]:.0f} ms")
            if burst:
                _burst(console, report, stack, connection, burst)
    finally:
        console.print("Stopping the stack …")
        stack.down()


def _time_dispatch(stack: Stack, connection: Any) -> float:
    """Milliseconds from before the POST until Airflow has created the DagRun."""
    event = {"type": "bench.tick", "source": "/bench", "id": str(uuid4()), "specversion": "1.0"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [began] = cursor.fetchone()
    stack.post_cloud_event(event)

    def dispatched() -> float | None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT extract(epoch FROM run.dispatched_at - %s) * 1000 FROM run"
                " JOIN event ON event.id = run.event_id"
                " WHERE event.external_id = %s AND run.dispatched_at IS NOT NULL",
                (began, event["id"]),
            )
            row = cursor.fetchone()
            return float(row[0]) if row else None

    found = until("the DagRun", dispatched, 30)
    # Idle again, before the next one.
    until("its end", lambda: _none_running(connection), 60)
    return found


def _none_running(connection: Any) -> bool | None:
    return _number(connection, "SELECT count(*) FROM run WHERE status = 'RUNNING'") == 0 or None


def _burst(console: Console, report: Report, stack: Stack, connection: Any, burst: int) -> None:
    hook = stack.post("/api/workflows", WEBHOOK)
    stack.wait_runnable(hook["id"])
    path = "/" + hook["webhookUrl"].split("/", 3)[3]
    began = time.monotonic()
    latencies = measure(
        stack.bridge, lambda n: _delivery(path, n), clients=CLIENTS, requests=burst, headers={}
    )
    report.row(f"burst of {burst:,} beside Airflow: taken in a second", f"{latencies.rate:.0f}")
    report.row("    p99", f"{latencies.p99:.0f} ms")
    said = time.monotonic()
    while True:
        ended = _number(connection, "SELECT count(*) FROM run WHERE status <> 'RUNNING'")
        waiting = _number(connection, "SELECT count(*) FROM run WHERE dispatched_at IS NULL")
        open_ = _number(connection, "SELECT count(*) FROM run WHERE status = 'RUNNING'")
        pending = _number(connection, "SELECT count(*) FROM event WHERE status = 'PENDING'")
        now = time.monotonic()
        if open_ == pending == 0:
            break
        if now - said > 30:
            said = now
            console.print(f"{now - began:.0f} s: {ended} ended, {waiting} not in Airflow yet")
        if now - began > 120 + burst * TIMEOUT_PER_RUN:
            raise BenchError(f"{open_} runs have not ended after {now - began:.0f} s")
        time.sleep(1)
    lost, doubled = _lost_and_doubled(connection, burst)
    failed = _number(connection, "SELECT count(*) FROM run WHERE status <> 'COMPLETED'")
    seconds = now - began
    report.row("    all runs ended after", f"{seconds:.0f} s ({burst / seconds:.1f} a second)")
    report.row(
        "    lost, doubled, not COMPLETED",
        f"{lost}, {doubled}, {failed}",
        "0, 0, 0",
        lost == doubled == failed == 0,
    )
