"""What a stack does when there is nothing to do: processor time and memory of each process.

Ours and stock Airflow are looked at over the same time, so that what else the machine does is
shared by both. Processor time is the kernel's account and hardly depends on that.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Collection
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tests.bench.measuring import memory_of, tree
from tests.bench.processor import Used, by_part, part_of, used
from tests.bench.product import Stack
from tests.bench.stock import StockAirflow

SETTLING = 60.0
"""Seconds after the start that are not counted: everything is read and parsed once."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the processes of a name have used.

    Args:
        share: of one core, while it was looked at.
        megabytes: at its end.
    """

    share: float
    megabytes: float
    processes: int


def main(console: Console, seconds: int, with_stock: bool) -> bool:
    """Start the stacks, leave them alone, and report; there is nothing that could be missed."""
    with ExitStack() as open_:
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="automations-bench-")))
        console.print("Starting; then nothing is asked of it for a while.")
        ours = Stack(folder / "ours")
        open_.callback(ours.down)
        ours.up()
        stacks = {"automations": ours.pids}
        if with_stock:
            stock = StockAirflow(folder / "stock")
            open_.callback(stock.down)
            stock.up()
            stacks["stock Airflow"] = stock.pids
        time.sleep(SETTLING)
        before = {name: used(pids()) for name, pids in stacks.items()}
        began = time.monotonic()
        time.sleep(seconds)
        for name, pids in stacks.items():
            _report(console, name, parts(before[name], pids(), time.monotonic() - began))
    return True


def parts(before: Used, pids: Collection[int], seconds: float) -> dict[str, Part]:
    """What each part has used in so many seconds."""
    size: dict[str, float] = defaultdict(float)
    number: dict[str, int] = defaultdict(int)
    spent = by_part(before, pids)
    for process in tree(pids):
        with suppress(psutil.NoSuchProcess):
            name = part_of(process)
            size[name] += memory_of(process)
            number[name] += 1
    return {name: Part(spent[name] / seconds, size[name], number[name]) for name in spent}


def _report(console: Console, name: str, parts: dict[str, Part]) -> None:
    table = Table(title=f"{name}, idle")
    table.add_column("part")
    for heading in ("% of a core", "MB", "processes"):
        table.add_column(heading, justify="right")
    for part, found in sorted(parts.items(), key=lambda item: -item[1].share):
        table.add_row(part, f"{found.share:.2%}", f"{found.megabytes:.0f}", str(found.processes))
    table.add_section()
    table.add_row(
        "all",
        f"{sum(part.share for part in parts.values()):.2%}",
        f"{sum(part.megabytes for part in parts.values()):.0f}",
        str(sum(part.processes for part in parts.values())),
    )
    console.print(table)
