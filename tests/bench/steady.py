"""An hour in ten minutes: a steady mixed load, how long each kind of run takes, and what grows.

The mix and those who answer questions are the chaos suite's, and so is the list of what must hold
afterwards; here nothing is done to the stack.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import psycopg2
from rich.console import Console
from rich.table import Table

from tests.bench.measuring import memory_of, tree, until
from tests.bench.pages import RELIABILITY, put, row
from tests.chaos.clients import Clients
from tests.chaos.databases import Databases
from tests.chaos.invariants import violations
from tests.chaos.leftovers import leftovers
from tests.e2e.conftest import Stack
from tests.e2e.counterparts import Counterparts
from tests.servers.collector import Collector

BEGIN = "<!-- steady: made by ./automations bench steady -->"
END = "<!-- steady ends -->"
WARM_UP, CALIBRATION = 26, 130
"""Triggers before anything is counted, and in the burst by which it is known what the stack takes:
several of each kind."""
SHARE = 0.5
"""Of what the stack takes."""
EVERY = 5.0
"""Seconds between two looks at the stack."""
REST = 600.0
"""Seconds after the last trigger in which everything is to be at rest."""
GROWN = 1.15
"""What a figure of the last quarter may be of the second one's: more is growth."""
UNDER_WAY = """
SELECT count(*) FROM run
WHERE status IN ('RUNNING', 'PAUSED', 'WAITING_FOR_CHILD') AND workflow_id <> ALL (%s)
"""
TOOK = """
SELECT workflow_id, count(*), max(seconds),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),
       percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds)
FROM (
    SELECT workflow_id, extract(epoch FROM completed_at - started_at) AS seconds FROM run
    WHERE started_at >= to_timestamp(%s) AND completed_at IS NOT NULL
) run GROUP BY workflow_id
"""
_QUEUE = "SELECT count(*) FROM job WHERE dead_at IS NULL AND available_at <= clock_timestamp()"
_ROWS = """
SELECT sum(n_dead_tup), sum(n_live_tup), pg_database_size(current_database())
FROM pg_stat_user_tables
"""
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"


@dataclass(frozen=True)
class Look:
    """What the stack takes at a moment.

    Args:
        memory: MB of all processes but PostgreSQL's, whose shared memory fills as it is used.
        files: open files and sockets of all processes.
        queue: jobs that are due.
        dead: rows that were overwritten or deleted, and not tidied up yet, of a hundred.
        size: MB of both databases.
    """

    memory: float
    postgres: float
    connections: float
    files: float
    queue: float
    under_way: float
    dead: float
    size: float


GROWING = ("memory", "connections", "files")
"""What is to stay as it is under a load that stays the same."""
NAMES = {
    "memory": "memory without PostgreSQL, MB",
    "postgres": "memory of PostgreSQL, MB",
    "connections": "connections",
    "files": "open files",
    "queue": "jobs due",
    "under_way": "runs under way",
    "dead": "dead rows, % of all",
    "size": "databases, MB",
}


@dataclass(frozen=True)
class Kind:
    """How long runs of a kind took, in seconds."""

    name: str
    runs: int
    p50: float
    p99: float
    longest: float


@dataclass(frozen=True)
class Load:
    """What a load came to.

    Args:
        capacity: runs a second that the stack takes at most.
        wrong: what does not hold afterwards.
    """

    minutes: float
    rate: float
    capacity: float
    kinds: Sequence[Kind]
    looks: Sequence[Look]
    wrong: Sequence[str]
    machine: float

    def quarter(self, name: str, number: int) -> float:
        """The median of a figure in a quarter of the time."""
        size = max(len(self.looks) // 4, 1)
        of_it = self.looks[size * number : size * (number + 1)]
        return float(median(getattr(look, name) for look in of_it))

    @property
    def grown(self) -> list[str]:
        """What has grown under the load."""
        return [n for n in GROWING if self.quarter(n, 3) > self.quarter(n, 1) * GROWN]


def main(console: Console, minutes: int, write: bool) -> bool:
    """Load a stack of its own for so long, and print what came of it."""
    with (
        tempfile.TemporaryDirectory(prefix="automations-bench-") as folder,
        _stack(Path(folder)) as stack,
    ):
        load = _loaded(console, stack, minutes)
    _show(console, load)
    if write:
        put(RELIABILITY, BEGIN, _lines(load), END)
    return not load.wrong and not load.grown


@contextmanager
def _stack(home: Path) -> Iterator[Stack]:
    counterparts, collector = Counterparts(), Collector()
    counterparts.start()
    stack = Stack(home, counterparts, collector)
    with collector.listening():
        try:
            stack.up()
            yield stack
        finally:
            stack.down()
            counterparts.stop()


def _loaded(console: Console, stack: Stack, minutes: float) -> Load:
    clients = Clients(stack, 1)
    try:
        clients.begin(WARM_UP, WARM_UP / 2)
        _rest(stack, clients)
        began = time.monotonic()
        clients.send(CALIBRATION, 0.0)
        _rest(stack, clients)
        capacity = CALIBRATION / (time.monotonic() - began)
        rate = capacity * SHARE
        console.print(
            f"{capacity:.2f} triggers a second at most; now {rate:.2f} for {minutes} min."
        )
        since = time.time()
        clients.send(round(rate * minutes * 60), minutes * 60)
        looks = list(_looks(stack, clients, minutes * 60))
        machine = os.getloadavg()[0]
        _rest(stack, clients)
        kinds, wrong = _kinds(stack, clients, since), _wrong(stack, clients)
        return Load(minutes, rate, capacity, kinds, looks, wrong, machine)
    finally:
        clients.close()


def _rest(stack: Stack, clients: Clients) -> None:
    """Wait until all that was sent has come to its end, but for what nobody answers."""
    clients.finish()
    waiting = [kind.kind.workflow for kind in clients.kinds.all if kind.kind.waits]

    def rests() -> bool | None:
        return _number(stack, UNDER_WAY, waiting) == _number(stack, _QUEUE) == 0 or None

    until("the stack to be at rest", rests, REST, poll=0.2)


def _wrong(stack: Stack, clients: Clients) -> list[str]:
    """What does not hold, when Airflow has had the time to be told of everything."""
    deadline = time.monotonic() + REST
    databases = Databases(stack)
    while True:
        records = clients.records()
        records.left = leftovers(stack)
        found = violations(databases.dsn("automations"), databases.dsn("airflow"), records)
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(5)


def _looks(stack: Stack, clients: Clients, seconds: float) -> Iterator[Look]:
    waiting = [kind.kind.workflow for kind in clients.kinds.all if kind.kind.waits]
    began = time.monotonic()
    ended = threading.Event()
    while (passed := time.monotonic() - began) < seconds:
        yield _look(stack, waiting)
        ended.wait(max(0.0, EVERY - (time.monotonic() - began - passed)))


def _look(stack: Stack, waiting: list[str]) -> Look:
    memory = postgres = files = 0.0
    state = json.loads((stack.home / "run" / "state.json").read_text())
    for process in tree([state["pid"]]):
        with suppress(psutil.Error):
            if "postgres" in process.name():
                postgres += memory_of(process)
            else:
                memory += memory_of(process)
            files += process.num_fds()
    dead = live = size = 0.0
    for database in ("automations", "airflow"):
        [found] = _asked(stack, _ROWS, database=database)
        dead, live, size = dead + float(found[0]), live + float(found[1]), size + float(found[2])
    return Look(
        memory=memory,
        postgres=postgres,
        connections=_number(stack, _CONNECTIONS),
        files=files,
        queue=_number(stack, _QUEUE),
        under_way=_number(stack, UNDER_WAY, waiting),
        dead=100 * dead / max(dead + live, 1),
        size=size / 1e6,
    )


def _kinds(stack: Stack, clients: Clients, since: float) -> list[Kind]:
    names = {kind.kind.workflow: kind.kind.name for kind in clients.kinds.all}
    rows = _asked(stack, TOOK, since)
    kinds = [
        Kind(names[workflow], count, float(p50), float(p99), float(longest))
        for workflow, count, longest, p50, p99 in rows
        if workflow in names
    ]
    return sorted(kinds, key=lambda kind: kind.name)


def _number(stack: Stack, query: str, *values: Any) -> float:
    return float(_asked(stack, query, *values)[0][0])


def _asked(stack: Stack, query: str, *values: Any, database: str = "automations") -> list[Any]:
    connection = psycopg2.connect(Databases(stack).dsn(database), connect_timeout=10)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())
    finally:
        connection.close()


def _show(console: Console, load: Load) -> None:
    table = Table(title=_title(load))
    for heading in ("kind", "runs", "p50, s", "p99, s", "longest, s"):
        table.add_column(heading, justify="left" if heading == "kind" else "right")
    for kind in load.kinds:
        table.add_row(*map(str, _cells(kind)))
    console.print(table)
    table = Table(title="What the stack takes, medians")
    for heading in ("what", "second quarter", "last quarter", ""):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for name, said in NAMES.items():
        grown = "[red]grows[/]" if name in load.grown else ""
        table.add_row(said, _figure(load, name, 1), _figure(load, name, 3), grown)
    console.print(table)
    for line in load.wrong:
        console.print(line, style="red", markup=False)


def _lines(load: Load) -> Iterator[str]:
    yield f"Measured on {date.today().isoformat()}, on {os.cpu_count()} cores. {_title(load)}."
    yield ""
    yield row("kind", "runs", "p50, s", "p99, s", "longest, s")
    yield row(*["---"] * 5)
    for kind in load.kinds:
        yield row(*_cells(kind))
    yield ""
    yield row("what the stack takes, medians", "second quarter", "last quarter")
    yield row(*["---"] * 3)
    for name, said in NAMES.items():
        yield row(said, _figure(load, name, 1), _figure(load, name, 3))
    yield ""
    yield (
        f"Of the list above {len(load.wrong)} things did not hold: {load.wrong[0]}."
        if load.wrong
        else "Afterwards all of the list above held."
    )


def _title(load: Load) -> str:
    return (
        f"{load.rate:.2f} triggers a second for {load.minutes:g} minutes, half of the"
        f" {load.capacity:.2f} that the stack took at most;"
        f" the machine's load was {load.machine:.1f}"
    )


def _cells(kind: Kind) -> tuple[object, ...]:
    return (kind.name, kind.runs, f"{kind.p50:.1f}", f"{kind.p99:.1f}", f"{kind.longest:.1f}")


def _figure(load: Load, name: str, quarter: int) -> str:
    value = load.quarter(name, quarter)
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
