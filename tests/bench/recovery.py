"""How soon the next step begins after something has been killed."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import requests
from rich.console import Console
from rich.table import Table

from tests.bench.measuring import BenchError, tree, until
from tests.bench.pages import RELIABILITY, put, row
from tests.bench.product import Stack
from tests.e2e.counterparts import Counterparts
from tests.free_ports import free_row

PARTS = (
    *("triggerer", "dag-processor", "bridge", "scheduler", "api-server", "postgres", "mail"),
    *("fork-server", "api-fork-server"),
)
OF_SEVERAL = (
    *("triggerer", "bridge", "scheduler", "api-server"),
    *("worker", "dispatcher", "queue", "proxy"),
)
"""Those that are otherwise in the profile distributed: one of the two, where there are two."""
PROFILES = {"single": PARTS, "distributed": OF_SEVERAL}
_WITH_TASKS = ("scheduler", "worker", "worker-2")
"""Parts whose processes carry out tasks."""
BEGIN = {
    "single": "<!-- recovery: made by ./automations bench recovery -->",
    "distributed": "<!-- recovery: made by ./automations bench recovery --profile distributed -->",
}
END = "<!-- recovery ends -->"
BACKENDS = 8
PACE = 0.7
"""Seconds between two runs, as long as the machine keeps up with that."""
MOST = 10
"""Runs under way at which no other is begun: a line of them would say how long it is."""
WATCHED = 30.0
"""Seconds after a kill in which silences are looked for."""
TIMEOUT = 300.0
TARGET, TARGET_OF_ALL = 15.0, 60.0
_LOOK = {"rules": [{"field": "{{run.id}}", "operator": "exists"}]}
STEPS = [{"name": f"Look {n}", "type": "condition", "config": _LOOK} for n in range(2)]
_INSTANTS = """
SELECT extract(epoch FROM moment) FROM run_step, unnest(ARRAY[started_at, ended_at]) AS moment
WHERE moment > to_timestamp(%s)
"""
_UNDER_WAY = "SELECT count(*) FROM run WHERE status = 'RUNNING'"


@dataclass(frozen=True)
class Silence:
    """What came of one fault.

    Args:
        seconds: the longest time in which no step begins or ends; of one step, until it begins
            again.
        load: of the machine meanwhile, as the system averages it over a minute.
    """

    fault: str
    seconds: float
    load: float
    target: float = TARGET


def main(console: Console, write: bool, profile: str) -> bool:
    """Measure each fault, print a table, and put it into the documentation if that is wished."""
    found = []
    with tempfile.TemporaryDirectory() as folder, _counterparts() as counterparts:
        stack = Stack(
            Path(folder),
            AUTOMATIONS_HTTP_ALLOW=counterparts.address,
            AUTOMATIONS_PROFILE=profile,
            AUTOMATIONS_BACKEND_PORT=str(free_row(BACKENDS)),
        )
        try:
            stack.up()
            workflow = stack.create("Steady", STEPS)
            stack.wait_runnable(workflow)
            with _steady(stack, workflow):
                for silence in _measured(stack, counterparts, PROFILES[profile]):
                    console.print(f"{silence.fault}: {silence.seconds:.1f} s")
                    found.append(silence)
        finally:
            stack.down()
    _show(console, found)
    if write:
        _write(found, BEGIN[profile])
    return all(one.seconds <= one.target for one in found)


def _measured(stack: Stack, counterparts: Counterparts, parts: Sequence[str]) -> Iterator[Silence]:
    yield _silence(stack, "nothing", lambda: None)
    for part in parts:
        yield _silence(stack, part, lambda part=part: _kill(stack, part))  # type: ignore[misc]
        _until_healthy(stack)
    yield _of_one_step(stack, counterparts, "the process of a loop", _looped)
    yield _of_one_step(
        stack, counterparts, "the worker that watches over it", _looped, is_above=True
    )
    yield _of_one_step(stack, counterparts, "the executor's worker at a step", lambda step: step)
    yield _of_all(stack)


def _silence(stack: Stack, fault: str, strike: Callable[[], None]) -> Silence:
    """The longest time in which no step begins or ends, from the moment of a fault on."""
    at = time.time()
    strike()
    time.sleep(WATCHED)
    # What is still silent at the end is as long as that at least.
    instants = [at, *_instants(stack, at), max(time.time(), at + WATCHED)]
    gaps = [later - earlier for earlier, later in pairwise(instants)]
    return Silence(fault, max(gaps), os.getloadavg()[0])


def _of_one_step(
    stack: Stack,
    counterparts: Counterparts,
    fault: str,
    put_in: Callable[[dict[str, Any]], dict[str, Any]],
    *,
    is_above: bool = False,
) -> Silence:
    """How soon a step is done again whose process was killed in its midst.

    Args:
        put_in: what makes of a step that is held the one of the automation.
        is_above: whether it is the process that watches over the step's own which is killed.
    """
    config = {"method": "POST", "url": f"{counterparts.url}/held", "body": {"text": fault}}
    workflow = stack.create(
        fault, [put_in({"name": "Hold", "type": "http_request", "config": config})]
    )
    stack.wait_runnable(workflow)
    stack.execute(workflow)

    def arrivals() -> list[float]:
        with counterparts.counting:
            sent = list(zip(counterparts.posted, counterparts.arrived, strict=True))
        return [at for (_path, body), at in sent if body.get("text") == fault]

    def begun() -> bool | None:
        return bool(arrivals()) or None

    def again() -> float | None:
        return arrivals()[1] if len(arrivals()) > 1 else None

    until("the step to begin", begun, TIMEOUT)
    port = int(counterparts.server_address[1])
    process = until("its process", lambda: _task(stack, port), TIMEOUT)
    at = time.time()
    (process.parent() if is_above else process).kill()  # type: ignore[union-attr]  # it has one
    seconds = until("the step to begin again", again, TIMEOUT) - at
    counterparts.gate.set()
    counterparts.gate.clear()
    return Silence(fault, seconds, os.getloadavg()[0])


def _looped(step: dict[str, Any]) -> dict[str, Any]:
    """A loop of one round, which has a process of its own, as every heavy step."""
    return {"name": "Loop", "type": "loop", "config": {"collection": [1], "steps": [step]}}


def _of_all(stack: Stack) -> Silence:
    """How soon a step begins after everything was killed, and ``up`` was said."""
    for process in tree(stack.pids()):
        with suppress(psutil.Error):
            process.kill()
    at = time.time()
    stack.up()

    def first() -> float | None:
        return next(iter(_instants(stack, at)), None)

    seconds = until("a step to begin", first, TIMEOUT) - at
    return Silence("everything at once, from `up` on", seconds, os.getloadavg()[0], TARGET_OF_ALL)


def _kill(stack: Stack, part: str) -> None:
    os.kill(_pid(stack, part), signal.SIGKILL)


def _pid(stack: Stack, part: str) -> int:
    state = json.loads((stack.home / "run" / "state.json").read_text())
    return int(state["parts"][part]["pid"])


def _until_healthy(stack: Stack) -> None:
    def healthy() -> bool | None:
        state = json.loads((stack.home / "run" / "state.json").read_text())
        return all(p["state"] in ("healthy", "done") for p in state["parts"].values()) or None

    until("all parts to be healthy", healthy, TIMEOUT)


def _task(stack: Stack, port: int) -> psutil.Process | None:
    """The process of the step that waits for an answer from a port: a worker, or one of its own."""
    for part in _with_tasks(stack):
        for process in part.children(recursive=True):
            with suppress(psutil.Error):  # one that ends meanwhile
                if any(c.raddr and c.raddr.port == port for c in process.net_connections()):
                    return process
    return None


def _with_tasks(stack: Stack) -> Iterator[psutil.Process]:
    known = json.loads((stack.home / "run" / "state.json").read_text())["parts"]
    for name in _WITH_TASKS:
        if name in known:
            yield psutil.Process(_pid(stack, name))


def _instants(stack: Stack, since: float) -> list[float]:
    """When steps have begun or ended since then, in order."""
    return sorted(_asked(stack, _INSTANTS, (since,)))


def _asked(stack: Stack, query: str, values: tuple[float, ...] = ()) -> list[float]:
    """What a query finds; nothing while the database is away."""
    try:
        with closing(psycopg2.connect(stack.dsn())) as connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return [float(row[0]) for row in cursor.fetchall()]
    except psycopg2.Error:
        return []


@contextmanager
def _counterparts() -> Iterator[Counterparts]:
    counterparts = Counterparts()
    counterparts.start()
    try:
        yield counterparts
    finally:
        counterparts.gate.set()
        counterparts.stop()


@contextmanager
def _steady(stack: Stack, workflow: str) -> Iterator[None]:
    """Begin a run again and again, whether it is taken or not."""
    ended = threading.Event()

    def begin() -> None:
        while not ended.wait(PACE):
            if (_asked(stack, _UNDER_WAY) or [MOST])[0] < MOST:
                with suppress(BenchError, requests.RequestException, OSError):
                    stack.execute(workflow)

    thread = threading.Thread(target=begin)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _show(console: Console, found: list[Silence]) -> None:
    table = Table(title=f"Killed, with a run every {PACE} s, {os.cpu_count()} cores")
    for heading in ("killed", "seconds", "aim", "load"):
        table.add_column(heading)
    for one in found:
        table.add_row(one.fault, f"{one.seconds:.1f}", f"{one.target:.0f}", f"{one.load:.1f}")
    console.print(table)


def _write(found: list[Silence], begin: str) -> None:
    lines = [
        f"Measured on {date.today().isoformat()}, on {os.cpu_count()} cores.",
        "",
        row("killed", "seconds", "aim", "load"),
        row(*["---"] * 4),
        *(row(s.fault, f"{s.seconds:.1f}", f"{s.target:.0f}", f"{s.load:.1f}") for s in found),
    ]
    put(RELIABILITY, begin, lines, END)
