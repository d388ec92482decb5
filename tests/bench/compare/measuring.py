"""Measuring shapes on several engines that run at the same time, in turns.

Whatever else the machine does meets each of them; what counts is the ratios of one call.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

import requests
from rich.console import Console

from tests.bench.compare.results import Results, Taken
from tests.bench.compare.shapes import Engine, Measure, Shape
from tests.bench.measuring import BenchError, memory
from tests.bench.processor import by_part, used

_SETTLE = 5.0


def measure(
    console: Console,
    engines: Sequence[Engine],
    shapes: Sequence[Shape],
    results: Results,
    repeat: int,
    deadline: float,
) -> None:
    """Measure each shape on each engine.

    Args:
        repeat: times that each is measured; one that is measured once has no round to warm up.
        deadline: of ``time.monotonic``; nothing is begun that would end behind it, going by what
            it has taken before.
    """
    time.sleep(_SETTLE)
    for shape in shapes:
        measures = _prepared(console, engines, shape)
        rounds = 1 if shape.kind == "burst" else repeat + (repeat > 1)
        for turn in range(rounds):
            for engine, how in measures:
                before = results.seconds(shape, engine.name) or 0.0
                if time.monotonic() + before > deadline:
                    console.print(f"{shape.name}, {engine.name}: no time left", highlight=False)
                    continue
                _once(console, engine, how, shape, results, warm=turn == 0 < rounds - 1)


def _prepared(
    console: Console, engines: Iterable[Engine], shape: Shape
) -> list[tuple[Engine, Measure]]:
    found = []
    for engine in engines:
        try:
            how = engine.measure(shape)
        except (BenchError, requests.RequestException) as error:
            console.print(f"{shape.name}, {engine.name}: {error}", markup=False)
            continue
        if how is not None:
            found.append((engine, how))
    return found


def _once(
    console: Console,
    engine: Engine,
    how: Measure,
    shape: Shape,
    results: Results,
    *,
    warm: bool,
) -> None:
    before = used(engine.pids())
    try:
        seconds = how()
    except (BenchError, requests.RequestException) as error:
        console.print(f"{shape.name}, {engine.name}: {error}", markup=False)
        return
    parts = by_part(before, engine.pids())
    processor = sum(parts.values())
    console.print(
        f"{shape.name}, {engine.name}: {seconds:.2f} s, {processor:.2f} s of processor time"
        f"{' (not counted)' if warm else ''}",
        highlight=False,
    )
    if not warm:
        taken = Taken(seconds, processor, memory(engine.pids()), os.getloadavg()[0], parts)
        results.add(shape, engine.name, taken)
