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
EXPRESS_TARGET = 0.06
RATIO_TARGET = 1.2
SETTLE = 5.0
PARKED_RUN_TIMEOUT = 5.0

LIGHT: dict[str, Any] = {"type": "condition", "config": {"expression": "true"}}
APPROVAL: dict[str, Any] = {"name": "Ask", "type": "approval", "config": {"message": "Agreed?"}}
DELAY: dict[str, Any] = {"name": "Wait", "type": "delay", "config": {"duration": "PT12H"}}


@dataclass(frozen=True)
class Figures:
    """Medians, in seconds and MB."""

    runnable: float
    first_run: float
    five_steps: float
    express: float
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
        report = Report(table)
        try:
            _product(console, report, folder / "home", repeat, parked)
            if with_stock:
                _stock(console, report, stock.prepare(folder / "stock"), repeat)
        finally:
            console.print(table)
            console.print(
                f"{os.cpu_count()} CPUs; load average {os.getloadavg()[0]:.1f} at the end.",
                highlight=False,
            )
    return report.met


class Report:
    """The table, and whether every target in it was met."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.met = True

    def row(self, what: str, value: float, target: float | None = None, unit: str = "s") -> None:
        figure = f"{value:.0f} {unit}" if unit == "MB" or value >= 100 else f"{value:.2f} {unit}"
        self._table.add_row(what, figure.strip(), *self._verdict(value, target, unit))

    def ratio(self, value: float, alone: float) -> None:
        self.row("    as ratio to without", value / alone, RATIO_TARGET, unit="×")

    def section(self) -> None:
        self._table.add_section()

    def _verdict(self, value: float, target: float | None, unit: str) -> tuple[str, str]:
        if target is None:
            return "", ""
        kept = value < target
        self.met &= kept
        return f"< {target:g} {unit}", "[green]kept[/]" if kept else "[red]missed[/]"


def _product(console: Console, report: Report, home: Path, repeat: int, parked: int) -> None:
    stack = Stack(home)
    try:
        console.print("Starting a stack …")
        report.row("start of the stack", stack.up())
        five = stack.create("Five steps", _light(5))
        express = stack.create("Five steps, express", _light(5), execution="express")
        for workflow in (five, express):
            stack.wait_runnable(workflow)
        alone = _measure(console, stack, (five, express), repeat, "alone")
        report.row("new automation runnable after", alone.runnable, RUNNABLE_TARGET)
        report.row("its first run (1 step) COMPLETED after", alone.first_run)
        report.row("5-step run COMPLETED after", alone.five_steps, RUN_TARGET)
        report.row("the same, express, by its record", alone.express, EXPRESS_TARGET)
        report.row("memory of the stack", alone.megabytes, unit="MB")
        if parked:
            seconds = _park(console, stack, parked)
            report.row(f"{parked} runs PAUSED after", seconds)
            beside = _measure(
                console, stack, (five, express), repeat, f"beside {parked} parked runs"
            )
            report.section()
            report.row(f"beside {parked} parked runs: runnable after", beside.runnable)
            report.ratio(beside.runnable, alone.runnable)
            report.row("its first run COMPLETED after", beside.first_run)
            report.ratio(beside.first_run, alone.first_run)
            report.row("5-step run COMPLETED after", beside.five_steps)
            report.ratio(beside.five_steps, alone.five_steps)
            report.row("the same, express, by its record", beside.express)
            report.row("memory of the stack", beside.megabytes, unit="MB")
    finally:
        console.print("Stopping the stack …")
        stack.down()


def _light(count: int) -> list[dict[str, Any]]:
    return [{"name": f"Step {number}", **LIGHT} for number in range(1, count + 1)]


def _measure(
    console: Console, stack: Stack, workflows: tuple[str, str], repeat: int, where: str
) -> Figures:
    five, express = workflows
    time.sleep(SETTLE)
    stack.time_run(five)  # not counted: everything is warm after it
    stack.time_express(express)
    firsts, runs, quick = [], [], []
    for number in range(repeat):
        workflow = stack.create(f"New {where} {number}", _light(1))
        firsts.append(stack.first_run(workflow, time.monotonic()))
        runs.append(stack.time_run(five))
        quick.append(stack.time_express(express))
        console.print(
            f"{where}, {number + 1}: runnable {firsts[-1][0]:.2f} s, "
            f"first run {firsts[-1][1]:.2f} s, 5 steps {runs[-1]:.2f} s, "
            f"express {quick[-1]:.3f} s",
            highlight=False,
        )
    return Figures(
        median(first[0] for first in firsts),
        median(first[1] for first in firsts),
        median(runs),
        median(quick),
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
    deadline = began + 60 + PARKED_RUN_TIMEOUT * count
    said = began
    while (now := time.monotonic()) < deadline:
        counts = [stack.statuses(workflow) for workflow in wanted]
        paused = sum(count.get("PAUSED", 0) for count in counts)
        if paused == count:
            console.print(f"{count} runs are PAUSED after {now - began:.0f} s", highlight=False)
            return now - began
        if any(count.get("FAILED") for count in counts):
            raise BenchError(f"a run that should wait has failed: {counts}")
        if now - said > 30:
            said = now
            console.print(f"{paused} are PAUSED after {now - began:.0f} s", highlight=False)
        time.sleep(1)
    raise BenchError(f"not all runs are PAUSED after {now - began:.0f} s: {counts}")


def _stock(console: Console, report: Report, folder: Path, repeat: int) -> None:
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
        report.section()
        report.row("stock Airflow: 5 EmptyOperators, success after", median(seconds))
        report.row("memory of stock Airflow", airflow.memory(), unit="MB")
    finally:
        console.print("Stopping stock Airflow …")
        airflow.down()
