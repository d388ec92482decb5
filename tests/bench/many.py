"""Very many automations: how long until all of them are DAGs, and what one more edit takes then."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles
from typing import Any

import psycopg2
from rich.console import Console
from rich.table import Table

from tests.bench.idle import parts
from tests.bench.measuring import until
from tests.bench.processor import used
from tests.bench.product import Stack

FILE = 1_000
"""Automations in a file, which is taken in one transaction."""
WATCHED = 30.0
"""Seconds for which the parts are looked at when everything is published."""
TOLD = 0.5
"""Seconds of processor time from which a part is named."""
STEPS = [
    {
        "name": f"Look {number}",
        "type": "condition",
        "order": number,
        "config": {"rules": [{"field": "{{run.id}}", "operator": "exists"}]},
    }
    for number in range(3)
]


def main(console: Console, automations: int, edits: int) -> bool:
    """Publish, edit, and report; whether the targets are kept."""
    with ExitStack() as open_:
        home = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="automations-bench-")))
        stack = Stack(home)
        open_.callback(stack.down)
        console.print("Starting a stack …")
        stack.up()
        airflow = psycopg2.connect(stack.dsn().rpartition("/")[0] + "/airflow")
        open_.callback(airflow.close)
        airflow.autocommit = True
        before, began = used(stack.pids()), time.monotonic()
        ids = _import(stack, automations)
        imported = time.monotonic() - began
        console.print(f"{automations} are imported after {imported:.0f} s")
        limit = 60 + automations / 4
        until("all DAGs", lambda: _dags(airflow) >= automations or None, limit, poll=0.5)
        published = time.monotonic() - began
        console.print(f"all DAGs are there after {published:.0f} s")
        publishing = parts(before, stack.pids(), published)
        took = sorted(_edit(stack, airflow, ids[number * 7 % len(ids)]) for number in range(edits))
        before, began = used(stack.pids()), time.monotonic()
        time.sleep(WATCHED)
        resting = parts(before, stack.pids(), time.monotonic() - began)
        processor = resting["airflow dag-processor"].share
        p95 = quantiles(took, n=20)[18] if len(took) > 1 else took[0]
        target = 25.0 if automations <= FILE else automations * 0.03
        table = Table(title=f"{automations} automations")
        for heading in ("what", "measured", "target"):
            table.add_column(heading, justify="left" if heading == "what" else "right")
        table.add_row("imported after", f"{imported:.1f} s", "")
        table.add_row("all DAGs are there after", f"{published:.1f} s", f"{target:.0f} s")
        for part, of in sorted(publishing.items(), key=lambda item: -item[1].share):
            if of.share * published >= TOLD:
                table.add_row(f"    {part}, of a core", f"{of.share * published:.1f} s", "")
        table.add_row("an edit runnable after, median", f"{took[len(took) // 2]:.2f} s", "")
        table.add_row("    p95", f"{p95:.2f} s", "1.50 s")
        table.add_row("dag-processor afterwards", f"{processor:.1%}", "10 %")
        table.add_row("    its memory", f"{resting['airflow dag-processor'].megabytes:.0f} MB", "")
        table.add_row("memory of the stack", f"{stack.memory():.0f} MB", "")
        console.print(table)
        return published <= target and p95 <= 1.5 and processor <= 0.1


def _import(stack: Stack, number: int) -> list[str]:
    ids: list[str] = []
    for first in range(0, number, FILE):
        wanted = [
            {
                "key": f"many-{index}",
                "name": f"One of many, {index}",
                "status": "ACTIVE",
                "trigger": {"type": "manual"},
                "steps": STEPS,
            }
            for index in range(first, min(first + FILE, number))
        ]
        answer = stack.post("/api/workflows/import", wanted, timeout=600)
        ids += [str(automation["id"]) for automation in answer["automations"]]
    return ids


def _dags(airflow: Any) -> int:
    with airflow.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM dag d WHERE dag_id LIKE 'automation\\_c%' AND NOT is_stale"
            " AND EXISTS (SELECT FROM serialized_dag s WHERE s.dag_id = d.dag_id)"
        )
        return int(cursor.fetchone()[0])


def _edit(stack: Stack, airflow: Any, workflow: str) -> float:
    """Seconds from an edit until Airflow would run it."""
    version = int(stack.get(f"/api/workflows/{workflow}")["version"])
    began = time.monotonic()
    stack.patch(f"/api/workflows/{workflow}", {"description": f"Edited at {began}"})

    def is_there() -> bool | None:
        with airflow.cursor() as cursor:
            cursor.execute(
                "SELECT timetable_description LIKE %s FROM dag WHERE dag_id = %s",
                (f"%; version {version + 1}", f"automation_{workflow}"),
            )
            return bool(cursor.fetchone()[0]) or None

    until("the edit", is_there, 60)
    return time.monotonic() - began
