"""``docs/performance.md`` and its plot, from the figures that are committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.bench.compare.plot import plot
from tests.bench.compare.results import Results, Row
from tests.bench.compare.shapes import Kind, Shape
from tests.bench.measuring import ROOT

PAGE = "docs/performance.md"
FIGURES = ROOT / "docs" / "performance.json"
PLOT = ROOT / "docs" / "images" / "performance.svg"
OURS = "run ahead"
STOCK = "stock Airflow"
HEADINGS = ("graph", "engine", "seconds", "steps/s", "ms a step", "MB", "× stock", "target")

TARGETS: Mapping[str, float] = {
    Shape("chain", 5).name: 20,
    Shape("chain", 40).name: 60,
    Shape("burst", 5, 100).name: 12,
}
"""How many times as fast as stock Airflow ours is to be."""

_SHOWN = 0.5
"""Milliseconds below which a part is left out."""

_LIMITS: Mapping[Kind, str] = {
    "chain": "before the first step, Airflow's scheduler has to pick up the run and a worker its "
    "task; then these steps are recorded together, while one with effects outside would be a "
    "transaction of five statements, which waits for the disk",
    "burst": "processor time, mostly for the statements of steps and for what Airflow shows of "
    "them",
    "branch": "like a chain; the branch that is not taken is skipped in Airflow together with the "
    "rest",
    "loop": "the statements of an iteration; in stock Airflow, each item is a task",
    "approval": "the answer goes through the queue to Airflow, which restarts the task in a new "
    "process",
    "child": "a second run, which starts like the first one, and waking its parent",
    "webhook": "like a chain, plus the way back of the answer",
}
"""What limits each row."""

_ABOVE = """\
# Performance

Made by `./automations bench compare --report` from [performance.json](performance.json),
which `./automations bench compare --json docs/performance.json` wrote on {at}, on {cpus} cores.
All engines ran on it at the same time and were measured in turns, so compare the ratios.

![Seconds of each shape, by engine](images/performance.svg)

*run ahead* is an automation with default settings; *own tasks* is one with
`AUTOMATIONS_RUN_AHEAD_SECONDS=0`; *express* is one with `"execution": "express"`. *stock Airflow*
runs the same graph, hand-written as PythonOperators that return a value, with Airflow's defaults.
*seconds* is the time from the request until the run is seen to have ended: the median, with
minimum and maximum. *ms a step* is the processor time of all processes of an engine, including
its database. *MB* is their memory at the end. The steps are light: each decides something and
writes it down. Ours are conditions, up to fifty of which are recorded in one transaction
([why](decisions/0024-steps-without-effects-are-recorded-together.md)); those of others record each.
An approval is measured from its answer.

"""


def is_met(results: Results, shape: Shape) -> bool | None:
    """Whether a target was met; None where there is none, or nothing to say so by."""
    target, ratio = TARGETS.get(shape.name), results.ratio(shape, OURS, STOCK)
    return None if target is None or ratio is None else ratio >= target


def cells(results: Results, row: Row) -> tuple[str, ...]:
    """What is said of a row, under ``HEADINGS``."""
    ratio = results.ratio(row.shape, row.engine, STOCK) if row.engine != STOCK else None
    target = TARGETS.get(row.shape.name) if row.engine == OURS else None
    return (
        row.shape.name,
        row.engine,
        f"{row.seconds:.2f} ({row.spread})",
        f"{row.rate:.1f}",
        f"{row.per_step:.0f}",
        f"{row.megabytes:.0f}",
        "" if ratio is None else f"{ratio:.1f}",
        "" if target is None else f"≥ {target:.0f}",
    )


def write() -> None:
    """Write the page and the plot."""
    results = Results(FIGURES)
    (ROOT / PAGE).write_text(page(results))
    PLOT.write_text(plot(results.rows()))


def page(results: Results) -> str:
    """The page, from figures."""
    rows = results.rows()
    loads = [row.load for row in rows]
    lines = [_ABOVE.format(at=results.at, cpus=results.cpus).rstrip() + "\n"]
    lines.append(_line(HEADINGS))
    lines.append(_line(["---", "---", *["---:"] * 6]))
    lines += [_line(cells(results, row)) for row in rows]
    busy = f"{min(loads):.1f} to {max(loads):.1f}" if loads else "unknown"
    lines.append(
        f"\nThe machine's load average was {busy} during the measurements.\n\n"
        "## What limits each kind\n"
    )
    kinds = dict.fromkeys(row.shape.kind for row in rows)
    lines += [f"* **{kind}**: {_LIMITS[kind]}." for kind in kinds]
    lines += _parts(rows)
    return "\n".join(lines) + "\n"


def _parts(rows: Sequence[Row]) -> list[str]:
    """What the runs of the largest burst take of the processors, by part of each engine."""
    bursts = [row for row in rows if row.shape.kind == "burst" and row.parts]
    if not bursts:
        return []
    largest = max((row.shape for row in bursts), key=lambda shape: shape.runs)
    lines = [f"\n## Processor time by part\n\nMilliseconds per run, for {largest.name}.\n"]
    lines += [_line(("engine", "part", "ms a run")), _line(("---", "---", "---:"))]
    for row in bursts:
        if row.shape == largest:
            shown = {part: spent for part, spent in row.parts.items() if spent >= _SHOWN}
            lines += [_line((row.engine, part, f"{ms:.1f}")) for part, ms in shown.items()]
    return lines


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
