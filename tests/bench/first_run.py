"""How soon a new automation can run, how long a run takes, and what parked runs do to both."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench import stock
from tests.bench.measuring import BenchError
from tests.bench.product import Stack

RUNNABLE_TARGET = 2.0
RUN_TARGET = 3.0
RATIO_TARGET = 1.2
SETTLE = 5.0
PARKED_RUN_PATIENCE = 5.0

LIGHT: dict[str, Any] = {"type": "condition", "config": {"expression": "true"}}
APPROVAL: dict[str, Any] = {"name": "Ask", "type": "approval", "config": {"message": "Agreed?"}}
DELAY: dict[str, Any] = {"name": "Wait", "type": "delay", "config": {"duration": "PT12H"}}


@dataclass(frozen=True)
class Figures:
    """Medians, in seconds and MB."""

    runnable: float
    first_run: float
    five_steps: float
    megabytes: float


def main(console: Console, repeat: int, parked: int, with_stock: bool) -> bool:
    """Measure everything and print the table; whether every target was met."""
    with tempfile.TemporaryDirectory(
        prefix="automations-bench-", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        os.chmod(folder, 0o711)
        table = Table(title=f"Medians of {repeat}")
        for column in ("what", "measured", "target", ""):
            table.add_column(column, justify="left" if column == "what" else "right")
        try:
            _product(console, table, folder / "home", repeat, parked)
            if with_stock:
                _stock(console, table, stock.prepare(folder / "stock"), repeat)
        finally:
            console.print(table)
            console.print(
                f"{os.cpu_count()} CPUs; load average {os.getloadavg()[0]:.1f} at the end.",
                highlight=False,
            )


def _product(console: Console, table: Table, home: Path, repeat: int, parked: int) -> None:
    stack = Stack(home)
    try:
        console.print("Starting a stack …")
        _row(table, "start of the stack", stack.up())
        five = stack.create("Five steps", _light(5))
        stack.wait_runnable(five)
        alone = _measure(console, stack, five, repeat, "alone")
        _row(table, "new automation runnable after", alone.runnable, RUNNABLE_TARGET)
        _row(table, "its first run (1 step) COMPLETED after", alone.first_run)
        _row(table, "5-step run COMPLETED after", alone.five_steps, RUN_TARGET)
        _row(table, "memory of the stack", alone.megabytes, unit="MB")
        if parked:
            seconds = _park(console, stack, parked)
            _row(table, f"{parked} runs PAUSED after", seconds)
            beside = _measure(console, stack, five, repeat, f"beside {parked} parked runs")
            table.add_section()
            _row(table, f"beside {parked} parked runs: runnable after", beside.runnable)
            _ratio(table, beside.runnable, alone.runnable)
            _row(table, "its first run COMPLETED after", beside.first_run)
            _ratio(table, beside.first_run, alone.first_run)
            _row(table, "5-step run COMPLETED after", beside.five_steps)
            _ratio(table, beside.five_steps, alone.five_steps)
            _row(table, "memory of the stack", beside.megabytes, unit="MB")
    finally:
        console.print("Stopping the stack …")
        stack.down()


def _light(count: int) -> list[dict[str, Any]]:
    return [{"name": f"Step {number}", **LIGHT} for number in range(1, count + 1)]


def _measure(console: Console, stack: Stack, five: str, repeat: int, where: str) -> Figures:
    time.sleep(SETTLE)
    stack.time_run(five)  # not counted: everything is warm after it
    firsts, runs = [], []
    for number in range(repeat):
        workflow = stack.create(f"New {where} {number}", _light(1))
        firsts.append(stack.first_run(workflow, time.monotonic()))
        runs.append(stack.time_run(five))
        console.print(
            f"{where}, {number + 1}: runnable {firsts[-1][0]:.2f} s, "
            f"first run {firsts[-1][1]:.2f} s, 5 steps {runs[-1]:.2f} s",
            highlight=False,
        )
    return Figures(
        median(first[0] for first in firsts),
        median(first[1] for first in firsts),
        median(runs),
        stack.memory(),
    )


def _park(console: Console, stack: Stack, count: int) -> float:
    """Start runs that wait, half for a decision and half for a moment; return the seconds."""
    wanted = {
        stack.create("Parked on an approval", [APPROVAL]): count - count // 2,
        stack.create("Parked on a delay", [DELAY]): count // 2,
    }
    for workflow in wanted:
        stack.wait_runnable(workflow)
    console.print(f"Parking {count} runs …")
    began = time.monotonic()
    for workflow, number in wanted.items():
        for _ in range(number):
            stack.execute(workflow)
    deadline = began + 60 + PARKED_RUN_PATIENCE * count
    said = began
    while (now := time.monotonic()) < deadline:
        counts = [stack.statuses(workflow) for workflow in wanted]
        paused = sum(found.get("PAUSED", 0) for found in counts)
        if paused == count:
            console.print(f"{count} runs are PAUSED after {now - began:.0f} s", highlight=False)
            return now - began
        if any(found.get("FAILED") for found in counts):
            raise BenchError(f"a run that should wait has failed: {counts}")
        if now - said > 30:
            said = now
            console.print(f"{paused} are PAUSED after {now - began:.0f} s", highlight=False)
        time.sleep(1)
    raise BenchError(f"not all runs are PAUSED after {now - began:.0f} s: {counts}")


def _stock(console: Console, table: Table, folder: Path, repeat: int) -> None:
    airflow = stock.StockAirflow(folder)
    try:
        console.print("Starting stock Airflow …")
        airflow.up()
        time.sleep(SETTLE)
        airflow.time_run()
        seconds = [airflow.time_run() for _ in range(repeat)]
        console.print(
            "stock Airflow: " + ", ".join(f"{one:.2f} s" for one in seconds), highlight=False
        )
        table.add_section()
        _row(table, "stock Airflow: 5 EmptyOperators, success after", median(seconds))
        _row(table, "memory of stock Airflow", airflow.memory(), unit="MB")
    finally:
        console.print("Stopping stock Airflow …")
        airflow.down()


def _row(
    table: Table, what: str, value: float, target: float | None = None, unit: str = "s"
) -> None:
    figure = f"{value:.0f} {unit}" if unit == "MB" or value >= 100 else f"{value:.2f} {unit}"
    table.add_row(what, figure.strip(), *_verdict(value, target, unit))


def _ratio(table: Table, value: float, alone: float) -> None:
    _row(table, "    as ratio to without", value / alone, RATIO_TARGET, unit="×")


def _verdict(value: float, target: float | None, unit: str) -> tuple[str, str]:
    if target is None:
        return "", ""
    kept = "[green]kept[/]" if value < target else "[red]missed[/]"
    return f"< {target:g} {unit}", kept
