"""What a busy machine does to a burst of runs: it may make them slow, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tests.bench.measuring import until
from tests.bench.product import ENDED, Stack

TIMEOUT = 1_800.0
STEPS = [
    {
        "name": f"Look {number}",
        "type": "condition",
        "config": {"rules": [{"field": "{{run.id}}", "operator": "exists"}]},
    }
    for number in range(2)
]
# It ends by itself, whatever becomes of whoever started it.
_BURN = "import time\nend = time.monotonic() + {seconds}\nwhile time.monotonic() < end: pass"


@dataclass(frozen=True)
class Burst:
    """What became of a burst.

    Args:
        seconds: until its last run had ended.
        restarts: of parts of the stack meanwhile.
    """

    name: str
    statuses: dict[str, int]
    seconds: float
    restarts: dict[str, int]

    def is_whole(self, runs: int) -> bool:
        """Whether every run is COMPLETED and no part was restarted."""
        return self.statuses == {"COMPLETED": runs} and not self.restarts


def main(console: Console, runs: int, processes: int) -> bool:
    """Measure bursts beside nothing, beside busy processes and on one core, and print a table."""
    bursts = []
    every = psutil.Process().cpu_affinity()
    for name, cores, load in (
        ("quiet", every, 0),
        (f"{processes} busy processes", every, processes),
        ("one core", every[:1], 0),
    ):
        # Inherited by all that is started from here on.
        psutil.Process().cpu_affinity(cores)
        try:
            with tempfile.TemporaryDirectory() as folder, _running(Path(folder)) as stack:
                bursts.append(_burst(stack, name, runs, load))
        finally:
            psutil.Process().cpu_affinity(every)
        console.print(f"{name}: {bursts[-1].seconds:.0f} s, {bursts[-1].statuses}")
    _show(console, bursts, runs)
    return all(burst.is_whole(runs) for burst in bursts)


@contextmanager
def _running(home: Path) -> Iterator[Stack]:
    stack = Stack(home)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


def _burst(stack: Stack, name: str, runs: int, load: int) -> Burst:
    workflow = stack.create("Burst", STEPS)
    stack.wait_runnable(workflow)
    before = _restarts(stack)
    with _busy(load):
        began = time.monotonic()
        for _ in range(runs):
            stack.execute(workflow)

        def ended() -> dict[str, int] | None:
            statuses = stack.statuses(workflow)
            return statuses if sum(statuses.get(one, 0) for one in ENDED) >= runs else None

        statuses = until("the end of the burst", ended, TIMEOUT, poll=1.0)
        seconds = time.monotonic() - began
    after = _restarts(stack)
    restarts = {part: after[part] - before.get(part, 0) for part in after}
    return Burst(name, statuses, seconds, {part: n for part, n in restarts.items() if n})


@contextmanager
def _busy(processes: int) -> Iterator[None]:
    command = [sys.executable, "-c", _BURN.format(seconds=TIMEOUT)]
    burning = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield
    finally:
        for one in burning:
            one.kill()
            one.wait()


def _restarts(stack: Stack) -> dict[str, int]:
    state = json.loads((stack.home / "run" / "state.json").read_text())
    return {name: part["restarts"] for name, part in state["parts"].items()}


def _show(console: Console, bursts: list[Burst], runs: int) -> None:
    table = Table(title=f"{runs} runs of {len(STEPS)} steps at once, {os.cpu_count()} cores")
    for heading in ("machine", "COMPLETED", "other", "seconds", "to quiet", "restarts"):
        table.add_column(heading)
    for burst in bursts:
        completed = burst.statuses.get("COMPLETED", 0)
        table.add_row(
            burst.name,
            str(completed),
            str(sum(burst.statuses.values()) - completed),
            f"{burst.seconds:.0f}",
            f"{burst.seconds / bursts[0].seconds:.1f}x",
            ", ".join(f"{part}: {n}" for part, n in burst.restarts.items()) or "none",
        )
    console.print(table)
