"""How soon runs of other automations begin and end beside a burst of one automation."""

from __future__ import annotations

import math
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

import requests
from rich.console import Console
from rich.table import Table

from tests.bench.first_run import LIGHT
from tests.bench.measuring import BenchError, answer_of, until
from tests.bench.pages import OPERATIONS, put, row
from tests.bench.product import ENDED, TIMEOUT, Stack

AIM = 1.0
"""Seconds within which another automation's run begins, for 19 of 20."""
_CLIENTS = 4
_PAUSE = 1.0
"""Seconds between two runs of the others."""
_BURST_TIMEOUT = 1_800.0
_BEGIN, _END = "<!-- turns: made by ./automations bench turns -->", "<!-- turns end -->"


@dataclass(frozen=True)
class Waits:
    """How long runs of one automation waited for their first step, in seconds."""

    name: str
    seconds: Sequence[float]

    @property
    def p95(self) -> float:
        ordered = sorted(self.seconds)
        return ordered[math.ceil(len(ordered) * 0.95) - 1]


def main(console: Console, runs: int, write: bool) -> bool:
    """Send a burst, and start runs of two other automations all the while; print a table."""
    with tempfile.TemporaryDirectory(prefix="bench-turns-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        stack = Stack(folder)
        try:
            stack.up()
            seconds, others = _measure(stack, runs)
        finally:
            stack.down()
    table = Table("who", "runs", "p50", "p95", "longest", title="Seconds to the first step")
    for waits in others:
        table.add_row(*_cells(waits))
    console.print(table)
    console.print(f"The burst: {runs} runs in {seconds:.0f} s, {runs / seconds:.1f} a second.")
    if write:
        put(OPERATIONS, _BEGIN, _lines(runs, seconds, others), _END)
    return all(waits.p95 <= AIM for waits in others)


def _measure(stack: Stack, runs: int) -> tuple[float, list[Waits]]:
    crowd = stack.create("Crowd", [{**LIGHT, "name": "Step"}])
    person = stack.create("Person", [{**LIGHT, "name": "Step"}])
    trigger = {"type": "webhook", "verification": "none"}
    hooked = stack.create("Hooked", [{**LIGHT, "name": "Step"}], trigger=trigger)
    for workflow in (crowd, person, hooked):
        stack.wait_runnable(workflow)
    url = str(stack.get(f"/api/workflows/{hooked}")["webhookUrl"])
    stack.time_run(person)
    senders = [
        threading.Thread(target=stack.send_executes, args=(crowd, runs // _CLIENTS))
        for _ in range(_CLIENTS)
    ]
    by_hand: list[float] = []
    began = time.monotonic()
    for sender in senders:
        sender.start()
    sent = runs // _CLIENTS * _CLIENTS
    delivered = 0
    while stack.statuses(crowd, ENDED[:1])[ENDED[0]] < sent:
        if time.monotonic() - began > _BURST_TIMEOUT:
            raise BenchError(f"the burst stands: {stack.statuses(crowd)}")
        by_hand.append(_first_step(stack, person, stack.execute(person)))
        answer_of(requests.post(url, json={}, timeout=TIMEOUT))
        delivered += 1
        time.sleep(_PAUSE)
    seconds = time.monotonic() - began
    for sender in senders:
        sender.join()
    until(
        "the deliveries' runs",
        lambda: stack.statuses(hooked, ENDED[:1])[ENDED[0]] == delivered or None,
        TIMEOUT,
    )
    found = stack.get(f"/api/workflows/{hooked}/runs?pageSize=100")["runs"]
    by_webhook = [_first_step(stack, hooked, run["id"]) for run in found]
    return seconds, [Waits("started by hand", by_hand), Waits("started by webhook", by_webhook)]


def _first_step(stack: Stack, workflow: str, run: str) -> float:
    """Seconds from the moment that a run was accepted until its first step began."""
    stack.wait_completed(workflow, run)
    record = stack.get(f"/api/workflows/{workflow}/runs/{run}")["run"]
    accepted = datetime.fromisoformat(record["startedAt"])
    (line,) = record["logs"]
    ended = datetime.fromisoformat(line["timestamp"])
    return (ended - accepted).total_seconds() - float(line["durationMs"]) / 1000


def _cells(waits: Waits) -> list[str]:
    figures = (median(waits.seconds), waits.p95, max(waits.seconds))
    return [waits.name, str(len(waits.seconds)), *(f"{figure:.2f}" for figure in figures)]


def _lines(runs: int, seconds: float, others: Sequence[Waits]) -> list[str]:
    return [
        f"Measured on {datetime.now():%Y-%m-%d}, on 2 cores: a burst of {runs} runs of one step "
        f"took {seconds:.0f} s ({runs / seconds:.1f} a second).",
        "",
        row("runs of other automations", "number", "p50", "p95", "longest"),
        row("---", "---:", "---:", "---:", "---:"),
        *(row(*_cells(waits)) for waits in others),
    ]
