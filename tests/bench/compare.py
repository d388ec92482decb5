"""Light steps ahead of their tasks, by their own tasks, and hand-written in stock Airflow.

All three run at the same time and are measured in turns, so that whatever else the machine does
meets each of them; what counts is the ratios of one call.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.bench import stock
from tests.bench.first_run import LIGHT, SETTLE
from tests.bench.product import Stack

CHAINS = (5, 40)
BURST_STEPS = 5
STOCK = "stock Airflow"
WAYS: Mapping[str, str] = {"run ahead": "5", "own tasks": "0"}
"""Of ours, with AUTOMATIONS_RUN_AHEAD_SECONDS."""
TARGETS: Mapping[str, float] = {"5 steps": 20, "40 steps": 60, "burst": 12}
"""How many times as fast as stock Airflow it is to be ahead of its tasks."""

Measure = Callable[[], float]


@dataclass(frozen=True)
class Shape:
    """What is measured, and by whom.

    Args:
        steps: that it comes to.
        by: seconds that each takes.
    """

    name: str
    steps: int
    by: Mapping[str, Measure]
    repeat: int


def main(
    console: Console, repeat: int, burst: int, with_stock: bool, file: Path | None = None
) -> bool:
    """Measure all shapes and print a table; whether every target was met."""
    with (
        tempfile.TemporaryDirectory(
            prefix="automations-bench-", ignore_cleanup_errors=True
        ) as name,
        ExitStack() as running,
    ):
        folder = Path(name)
        os.chmod(folder, 0o711)
        shapes = _shapes(console, running, folder, repeat, burst, with_stock)
        time.sleep(SETTLE)
        took = {shape.name: _measure(console, shape) for shape in shapes}
    if file is not None:
        file.write_text(json.dumps({"cpus": os.cpu_count(), "seconds": took}, indent=2) + "\n")
    return _show(console, shapes, took)


def _shapes(
    console: Console, running: ExitStack, folder: Path, repeat: int, burst: int, with_stock: bool
) -> list[Shape]:
    by: dict[int, dict[str, Measure]] = {count: {} for count in CHAINS}
    bursts: dict[str, Measure] = {}
    for number, (way, seconds) in enumerate(WAYS.items()):
        console.print(f"Starting a stack: {way} …")
        stack = Stack(folder / f"home-{number}", AUTOMATIONS_RUN_AHEAD_SECONDS=seconds)
        running.callback(stack.down)
        stack.up()
        for count in CHAINS:
            steps = [{"name": f"Step {step}", **LIGHT} for step in range(count)]
            workflow = stack.create(f"{count} steps", steps)
            stack.wait_runnable(workflow)
            by[count][way] = partial(stack.time_run, workflow)
            if count == BURST_STEPS:
                bursts[way] = partial(stack.time_burst, workflow, burst)
    if with_stock:
        console.print("Starting stock Airflow …")
        airflow = stock.StockAirflow(stock.prepare(folder / "stock"), CHAINS)
        running.callback(airflow.down)
        airflow.up()
        for count in CHAINS:
            by[count][STOCK] = partial(airflow.time_run, stock.tasks_dag(count))
        bursts[STOCK] = partial(airflow.time_burst, burst, stock.tasks_dag(BURST_STEPS))
    shapes = [Shape(f"{count} steps", count, by[count], repeat) for count in CHAINS]
    if burst:
        shapes.append(Shape("burst", burst * BURST_STEPS, bursts, 1))
    return shapes


def _measure(console: Console, shape: Shape) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {way: [] for way in shape.by}
    # The first round is not counted: everything is warm after it.
    for turn in range(shape.repeat + (shape.repeat > 1)):
        for way, measure in shape.by.items():
            seconds = measure()
            if turn or shape.repeat == 1:
                took[way].append(seconds)
            console.print(f"{shape.name}, {way}: {seconds:.2f} s", highlight=False)
    return took


def _show(
    console: Console, shapes: list[Shape], took: Mapping[str, Mapping[str, list[float]]]
) -> bool:
    table = Table(title="Medians, from the least to the most")
    for column in ("what", "by", "seconds", "steps/s", "× stock", "target"):
        table.add_column(column, justify="left" if column in ("what", "by") else "right")
    met = True
    for shape in shapes:
        table.add_section()
        found = took[shape.name]
        for way, seconds in found.items():
            middle = median(seconds)
            spread = f"{middle:.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
            ratio, target = "", ""
            if STOCK in found and way != STOCK:
                faster = median(found[STOCK]) / middle
                ratio = f"{faster:.1f}"
                if way == next(iter(WAYS)):
                    met &= faster >= TARGETS[shape.name]
                    target = f"≥ {TARGETS[shape.name]:.0f}"
            row = (shape.name, way, spread, f"{shape.steps / middle:.1f}", ratio, target)
            table.add_row(*row)
    console.print(table)
    load = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} CPUs; load average {load:.1f} at the end.", highlight=False)
    return met
