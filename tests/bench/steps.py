"""What each step type costs beside its counterpart, without Airflow: load, render, run, record."""

from __future__ import annotations

import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
import psycopg2
from cryptography.fernet import Fernet
from rich.console import Console
from rich.table import Table

from automations import wiring
from automations.db import migrate, session
from automations.domain.templating import render
from automations.execution.verdicts import AskPeople, Proceed, Sleep, TaskRef
from automations.launcher.postgres import EmbeddedPostgres
from automations.services.workflows import definitions
from automations.steps.registry import STEP_TYPES
from tests.bench.measuring import BenchError
from tests.e2e.counterparts import Counterparts
from tests.environment import Environment
from tests.free_ports import free_ports
from tests.servers.mailbox import Mailbox
from tests.step_world import World

TARGET = 15.0
CODE_TARGET = 80.0
PDF_TARGET = 1_000.0
LOOP_TARGET = 60.0
MEMORY_TARGET = 100.0
WARM_UP = 3
EVEN = "loop.item % 2 == 0"


@dataclass(frozen=True)
class Case:
    """A step whose cost is measured.

    Args:
        bare: its counterpart used directly.
        target: milliseconds at the median; None when most of them are the counterpart's.
    """

    type: str
    config: Mapping[str, Any]
    bare: Callable[[], object]
    target: float | None = TARGET
    note: str = ""


class BenchWorld(World):
    """The same, with a table of one's own to write to."""

    def __init__(self, dsn: str, mailbox: Mailbox, counterparts: Counterparts) -> None:
        super().__init__(mailbox, counterparts)
        self._connection = psycopg2.connect(dsn.replace("+psycopg2", ""))
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute("CREATE TABLE bare (id bigserial PRIMARY KEY, content text)")

    def insert(self) -> None:
        """One committed row."""
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute("INSERT INTO bare (content) VALUES ('bare')")

    def close(self) -> None:
        """Leave the database."""
        self._connection.close()


def main(console: Console, repeat: int, iterations: int) -> bool:
    """Measure everything and print the tables; whether every target was met."""
    with tempfile.TemporaryDirectory(
        prefix="automations-bench-", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        os.chmod(folder, 0o711)
        with _world(folder) as place:
            met = _types(console, place, repeat)
            met &= _loop(console, place, iterations)
        load = os.getloadavg()[0]
        console.print(
            f"{os.cpu_count()} CPUs; load average {load:.1f} at the end.", highlight=False
        )
        return met


def _cases(place: BenchWorld) -> Iterator[Case]:
    outside: dict[str, Callable[[], object]] = {
        "email": place.mail,
        "send_document": place.mail,
        "http_request": place.post,
        "slack": place.post,
        "ai": place.post,
    }
    for kind in STEP_TYPES:
        config = place.config(kind)
        if kind == "code":
            yield Case(kind, config, place.script, CODE_TARGET)
        elif kind == "generate_document":
            for wanted, target in (("docx", None), ("pdf", PDF_TARGET)):
                made = {**config, "format": wanted}
                yield Case(kind, made, place.renderer(wanted), target, f", {wanted}")
        elif kind in outside:
            yield Case(kind, config, outside[kind], None)
        else:
            yield Case(kind, config, place.insert)


def _types(console: Console, place: BenchWorld, repeat: int) -> bool:
    table = Table(title=f"{repeat} runs of each step type; milliseconds")
    for column in ("step type", "p50", "p95", "bare p50", "p50 / bare", "target"):
        table.add_column(column, justify="left" if column == "step type" else "right")
    met = True
    for case in _cases(place):
        taken, bare = _measured(place, case, repeat)
        p50, bare_p50 = median(taken), median(bare)
        fits = case.target is None or p50 < case.target
        met &= fits
        target = "" if case.target is None else f"p50 {case.target:.0f} {_verdict(fits)}"
        table.add_row(
            case.type + case.note,
            *(f"{figure:.1f}" for figure in (p50, quantiles(taken, n=20)[-1], bare_p50)),
            f"{p50 / bare_p50:.1f}",
            target,
        )
    console.print(table)
    console.print(
        "Bare: one committed row; one mail by smtplib; one POST by http.client; the script's or "
        "document's child process by itself.",
        highlight=False,
    )
    return met


def _measured(place: BenchWorld, case: Case, repeat: int) -> tuple[list[float], list[float]]:
    """Milliseconds of the step and of its counterpart, by turns: both meet the same machine."""
    workflow = place.automation(case.type, case.config)
    taken, bare = [], []
    for _ in range(WARM_UP + repeat):
        ref = TaskRef(place.start(workflow), workflow, 1, "step")
        definitions.forget()  # a task of Airflow's is a new process
        taken.append(_milliseconds(lambda ref=ref: _run(ref)))  # type: ignore[misc]
        bare.append(_milliseconds(case.bare))
    return taken[WARM_UP:], bare[WARM_UP:]


def _run(ref: TaskRef) -> None:
    verdict = wiring.engine().run(ref)
    if not isinstance(verdict, Proceed | AskPeople | Sleep):
        raise BenchError(f"the step came to {verdict}")


def _milliseconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1e3


@dataclass(frozen=True)
class Body:
    """What a loop does with each item.

    Args:
        bare: the counterpart of one iteration used directly.
    """

    type: str
    config: Mapping[str, Any]
    bare: Callable[[int], object]
    iterations: int


def _loop(console: Console, place: BenchWorld, iterations: int) -> bool:
    tell = {"title": "{{loop.index}}", "userIds": [place.member]}
    mail = {"to": "ada@b.example", "subject": "{{loop.index}}", "body": "Hi"}
    table = Table(title="Loops")
    for column in ("body", "items", "s", "MB grown by", "bare s", "s / bare", "target"):
        table.add_column(column, justify="left" if column == "body" else "right")
    light = Body("condition", {"expression": EVEN}, _bare_condition, iterations)
    seconds, grown = _looped(table, place, light)
    few = max(iterations // 10, 1)
    _looped(table, place, Body("notification", tell, lambda _: place.insert(), few))
    _looped(table, place, Body("email", mail, lambda _: place.mail(), few))
    console.print(table)
    console.print("Bare: the expression's value, one committed row or one mail for each item.")
    kept = seconds < LOOP_TARGET and grown < MEMORY_TARGET
    console.print(
        f"Light iterations: target {LOOP_TARGET:.0f} s and {MEMORY_TARGET:.0f} MB, "
        f"{_verdict(kept)}."
    )
    return kept


def _looped(table: Table, place: BenchWorld, body: Body) -> tuple[float, float]:
    """Seconds of a loop, and MB by which the process has grown meanwhile."""
    step = {"name": "Body", "type": body.type, "order": 0, "config": dict(body.config)}
    workflow = place.automation("loop", {"collection": "{{input.items}}", "steps": [step]})
    ref = TaskRef(place.start(workflow, body.iterations), workflow, 1, "step")
    with _growth() as grown:
        seconds = _milliseconds(lambda: _run(ref)) / 1e3
    bare = _milliseconds(lambda: [body.bare(number) for number in range(body.iterations)]) / 1e3
    place.mailbox.envelopes.clear()
    figures = (f"{seconds:.2f}", f"{grown[0]:.0f}", f"{bare:.2f}", f"{seconds / bare:.1f}")
    target = f"{LOOP_TARGET:.0f} s" if body.type == "condition" else ""
    table.add_row(body.type, f"{body.iterations:,}", *figures, target)
    return seconds, grown[0]


def _verdict(kept: bool) -> str:
    return "[green]kept[/]" if kept else "[red]missed[/]"


def _bare_condition(number: int) -> object:
    return render(EVEN, {"loop": {"item": number}}, where="bench")


@contextmanager
def _world(folder: Path) -> Iterator[BenchWorld]:
    """Start everything, and stop it at the end."""
    [port] = free_ports(1)
    server = EmbeddedPostgres(folder / "postgres", port, secrets.token_hex(8))
    mailbox, counterparts = Mailbox(), Counterparts()
    for name in [name for name in os.environ if name.startswith("AUTOMATIONS_")]:
        del os.environ[name]
    os.environ.update(
        counterparts.environment(),
        AUTOMATIONS_HTTP_ALLOW=counterparts.address,
        AUTOMATIONS_HOME=str(folder),
        AUTOMATIONS_DATABASE_DSN=server.dsn(),
        AUTOMATIONS_ENCRYPTION_KEY=Fernet.generate_key().decode(),
        AUTOMATIONS_SMTP_HOST="127.0.0.1",
        AUTOMATIONS_SMTP_PORT=str(mailbox.port),
        AUTOMATIONS_SMTP_SECURITY="none",
    )
    Environment.forget()
    mailbox.start()
    counterparts.start()
    try:
        server.start()
        server.ensure_databases()
        migrate.upgrade(server.dsn())
        place = BenchWorld(server.dsn(), mailbox, counterparts)
        try:
            yield place
        finally:
            place.close()
    finally:
        session.dispose()
        counterparts.stop()
        mailbox.stop()
        server.stop()


@contextmanager
def _growth() -> Iterator[list[float]]:
    """By how many MB this process has grown meanwhile, at most."""
    process, done = psutil.Process(), threading.Event()
    before = process.memory_info().rss
    grown = [0.0]

    def watch() -> None:
        while not done.wait(0.05):
            grown[0] = max(grown[0], (process.memory_info().rss - before) / 1e6)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield grown
    finally:
        done.set()
        watching.join()
