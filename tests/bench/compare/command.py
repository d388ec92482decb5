"""``./automations bench compare``: which shapes, on which engines, and where it is kept."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.compare import report
from tests.bench.compare.airflow import Airflow
from tests.bench.compare.measuring import measure
from tests.bench.compare.ours import Ours
from tests.bench.compare.peers import Peer, from_npm, from_pypi
from tests.bench.compare.results import Results
from tests.bench.compare.shapes import KINDS, Engine, Shape, shapes
from tests.bench.measuring import BenchError

ENGINES: Mapping[str, Callable[[Path], Engine]] = {
    "ahead": lambda folder: Ours("run ahead", folder),
    "tasks": lambda folder: Ours("own tasks", folder, AUTOMATIONS_RUN_AHEAD_SECONDS="0"),
    "express": lambda folder: Ours("express", folder, {"execution": "express"}),
    "stock": Airflow,
    "dbos": lambda folder: Peer("DBOS", from_pypi("dbos"), folder, database=True),
    "prefect": lambda folder: Peer("Prefect", from_pypi("prefect"), folder, database=False),
    "restate": lambda folder: Peer(
        "Restate",
        from_npm("restate", "@restatedev/restate-server", "@restatedev/restate-sdk"),
        folder,
        database=False,
    ),
    # It names a version of that at an address of its own.
    "n8n": lambda folder: Peer(
        "n8n", from_npm("n8n", "n8n", overrides={"xlsx": "0.18.5"}), folder, database=True
    ),
}
"""By the words of ``--by``."""

CHECKED = Shape("chain", 5)
_LEAST = 0.5
"""How much of the committed ratio another machine, or a busy one, must come to."""


def add_to(parser: argparse.ArgumentParser, positive: Callable[[str], int]) -> None:
    """Add the options."""
    parser.add_argument(
        "--by",
        type=_words(ENGINES),
        default=["ahead", "stock"],
        help=f"Engines, of {','.join(ENGINES)}; those of others are installed for it.",
    )
    parser.add_argument(
        "--shape",
        type=_words(KINDS),
        default=["chain", "branch", "approval", "child", "burst"],
        help=f"Of {','.join(KINDS)}.",
    )
    parser.add_argument("--steps", type=_numbers(positive), default=[5, 40], help="Of chains.")
    parser.add_argument(
        "--runs", type=_numbers(positive), default=[100], help="Of bursts, at once."
    )
    parser.add_argument("--items", type=positive, default=1_000, help="Of the loop.")
    parser.add_argument("--repeat", type=positive, default=3, help="But for bursts.")
    parser.add_argument(
        "--seconds", type=positive, default=3_600, help="After which nothing is begun any more."
    )
    parser.add_argument(
        "--json", type=Path, help="A file for the figures, beside those that it has."
    )
    parser.add_argument(
        "--report", action="store_true", help=f"Measure nothing: write {report.PAGE} anew."
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="Only whether five steps are as much faster than stock Airflow's as they were.",
    )
    parser.set_defaults(measure=main)


def main(console: Console, options: argparse.Namespace) -> bool:
    """Measure, and print a table; whether every target was met."""
    if options.report:
        report.write()
        return True
    if options.check:
        return _check(console, options)
    wanted = shapes(options.shape, options.steps, options.runs, options.items)
    results = Results(options.json)
    _run(console, options, wanted, results)
    console.print(_table(results, wanted))
    load = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} CPUs; load average {load:.1f} at the end.", highlight=False)
    return all(report.is_met(results, shape) is not False for shape in wanted)


def _check(console: Console, options: argparse.Namespace) -> bool:
    results = Results()
    options.by = ["ahead", "stock"]
    _run(console, options, [CHECKED], results)
    first, other = report.OURS, report.STOCK
    known = Results(report.FIGURES).ratio(CHECKED, first, other)
    now = results.ratio(CHECKED, first, other)
    if known is None or now is None:
        raise BenchError("there is nothing to compare with")
    console.print(f"{now:.1f} times as fast as stock Airflow; {known:.1f} in {report.FIGURES.name}")
    return now >= known * _LEAST


def _run(
    console: Console, options: argparse.Namespace, wanted: Sequence[Shape], results: Results
) -> None:
    deadline = time.monotonic() + options.seconds
    with (
        tempfile.TemporaryDirectory(
            prefix="automations-bench-", ignore_cleanup_errors=True
        ) as name,
        ExitStack() as running,
    ):
        folder = Path(name)
        os.chmod(folder, 0o711)
        engines = []
        for word in options.by:
            engine = ENGINES[word](folder / word)
            console.print(f"Starting {engine.name} …")
            running.callback(engine.down)
            try:
                engine.up(wanted)
            except BenchError as error:
                if isinstance(engine, Peer):
                    console.print(f"{engine.name} is left out: {error}", markup=False)
                    continue
                raise
            engines.append(engine)
        measure(console, engines, wanted, results, options.repeat, deadline)


def _table(results: Results, wanted: Sequence[Shape]) -> Table:
    table = Table(title="Medians, with minimum and maximum")
    for column in report.HEADINGS:
        table.add_column(column, justify="left" if column in ("graph", "engine") else "right")
    names = {shape.name for shape in wanted}
    for row in results.rows():
        if row.shape.name in names:
            table.add_row(*report.cells(results, row))
    return table


def _words(known: Collection[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        words = text.split(",")
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f"{word} is none of {', '.join(known)}")
        return [one for one in known if one in words]

    return read


def _numbers(positive: Callable[[str], int]) -> Callable[[str], list[int]]:
    return lambda text: [positive(word) for word in text.split(",")]
