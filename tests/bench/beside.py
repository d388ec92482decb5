"""What automations cost the other DAGs of an Airflow that they are installed in.

Two stock Airflows with the same DAGs: one as it comes, and one that has our wheel, published
automations and runs of theirs that wait. They take turns, so that what else the machine does is
shared by both.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import requests
from rich.console import Console
from rich.table import Table

from automations.launcher.postgres import EmbeddedPostgres
from tests.foreign_airflow import (
    OUR_BUNDLE,
    WORDS,
    ForeignAirflow,
    Place,
    build_wheel,
)
from tests.free_ports import free_ports

TASKS = 5
TARGET = 1.1
"""How much longer anything of theirs may take; less cannot be told apart on a busy machine."""
AUTOMATIONS = 20
WAITING = 20
_TIMEOUT = 600


@dataclass
class Figures:
    """Seconds that were measured, by what."""

    parse: list[float] = field(default_factory=list)
    runs: list[float] = field(default_factory=list)


def main(console: Console, dags: int, runs: int, repeat: int) -> bool:
    """Measure both; True when nothing of theirs takes longer than the target."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="beside-")))
        os.chmod(folder, 0o711)
        wheel = build_wheel(folder / "wheel")
        both = {
            "without": _brought_up(opened, folder / "without", None),
            "with": _brought_up(opened, folder / "with", wheel),
        }
        found = {kind: Figures() for kind in both}
        for number in range(repeat):
            for kind, airflow in both.items():
                found[kind].parse.append(_parse(airflow, f"new_{number}", dags))
            for kind, airflow in both.items():
                found[kind].runs.append(_burst(airflow, runs))
    table = Table("", "without", "with automations", "ratio")
    met = True
    for title, name in (
        (f"{dags} new DAGs are parsed", "parse"),
        (f"{runs} runs of {TASKS} tasks", "runs"),
    ):
        without, with_ours = (
            statistics.median(getattr(found[kind], name)) for kind in ("without", "with")
        )
        met = met and with_ours / without <= TARGET
        table.add_row(title, f"{without:.1f} s", f"{with_ours:.1f} s", f"{with_ours / without:.2f}")
    console.print(table)
    return met


def _brought_up(opened: ExitStack, folder: Path, wheel: Path | None) -> ForeignAirflow:
    folder.mkdir()
    os.chmod(folder, 0o711)
    postgres = EmbeddedPostgres(folder / "postgres", free_ports(1)[0], "theirs")
    postgres.start()
    opened.callback(postgres.stop)
    postgres.ensure_databases()
    airflow = ForeignAirflow(
        folder / "airflow", Place(folder / "venv"), postgres.dsn("airflow"), _CONFIGURED
    )
    opened.callback(airflow.down)
    for bundle in airflow.bundles:
        # New files are to be seen at once: what is measured is the parse.
        bundle["kwargs"]["refresh_interval"] = 0
    airflow.write("chain", TASKS)
    airflow.airflow("db", "migrate")
    if wheel is not None:
        _install(airflow, wheel, postgres.dsn("automations"))
    airflow.up()
    airflow.await_that("the chain is there", lambda: airflow.has("chain"), _TIMEOUT)
    if wheel is not None:
        _fill(airflow)
    _burst(airflow, 1)
    return airflow


_CONFIGURED = {"AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0"}


def _install(airflow: ForeignAirflow, wheel: Path, dsn: str) -> None:
    airflow.place.install(wheel)
    (port,) = free_ports(1)
    airflow.environment |= {
        "AUTOMATIONS_DATABASE_DSN": dsn,
        "AUTOMATIONS_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "AUTOMATIONS_BRIDGE_PORT": str(port),
        "AUTOMATIONS_AIRFLOW_URL": airflow.address,
        "AUTOMATIONS_AIRFLOW_PASSWORD": WORDS["bridge"],
    }
    airflow.bundles.append(OUR_BUNDLE)
    airflow.automations("migrate")
    airflow.start("bridge", str(airflow.place.folder / "bin" / "automations-bridge"))


def _fill(airflow: ForeignAirflow) -> None:
    """Publish automations, and have runs of one wait."""
    base = airflow.environment["AUTOMATIONS_PUBLIC_URL"]
    key = (airflow.folder / "automations" / "owner.key").read_text().strip()
    with requests.Session() as http:
        http.trust_env = False
        http.headers["Authorization"] = f"Bearer {key}"
        ask = {"name": "Ask", "type": "approval", "config": {"message": "May it?"}}
        for number in range(AUTOMATIONS):
            body = {"name": f"Ours {number}", "status": "ACTIVE", "steps": [ask]}
            answer = http.post(f"{base}/api/workflows", json=body, timeout=30)
            answer.raise_for_status()
        one = f"{base}/api/workflows/{answer.json()['id']}"
        for _ in range(WAITING):
            http.post(f"{one}/execute", json={}, timeout=30).raise_for_status()

        def all_wait() -> bool:
            answer = http.get(f"{one}/runs?status=PAUSED", timeout=30)
            return int(answer.json()["pagination"]["total"]) == WAITING

        airflow.await_that("runs of ours wait", all_wait, _TIMEOUT)


def _parse(airflow: ForeignAirflow, name: str, count: int) -> float:
    """Seconds until so many new files of DAGs are parsed."""
    query = f"/dags?dag_id_prefix_pattern={name}_&limit=1"
    began = time.monotonic()
    for number in range(count):
        airflow.write(f"{name}_{number}", TASKS)
    airflow.await_that(
        "all are parsed",
        lambda: airflow.api("GET", query)["total_entries"] == count,
        _TIMEOUT,
    )
    return time.monotonic() - began


def _burst(airflow: ForeignAirflow, count: int) -> float:
    """Seconds until so many runs, started at once, have ended."""
    began = time.monotonic()
    going = {airflow.trigger("chain") for _ in range(count)}

    def ended() -> bool:
        query = "/dags/chain/dagRuns?state=success&state=failed&limit=100&order_by=-run_after"
        going.difference_update(run["dag_run_id"] for run in airflow.api("GET", query)["dag_runs"])
        return not going

    airflow.await_that("all have ended", ended, _TIMEOUT)
    return time.monotonic() - began
