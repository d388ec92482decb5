"""What is done to a stack: each fault strikes, lasts for a moment, and is taken back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import psutil
import psycopg2

from automations.launcher import processes
from tests.chaos.databases import Databases
from tests.e2e.conftest import Stack

FROZEN = 10.0
"""Seconds, in which others come to their own conclusions."""
REFUSED = 10.0
"""Seconds without a connection, or without room on the disk."""
AWAY = 60.0
"""Seconds in which a part ends as soon as it has begun: longer than what is tried a few times."""
STARVED = 20.0
"""Seconds with many more processes at work than there are processors."""
_BUSY = 8
_SPIN = f"import time\nuntil = time.monotonic() + {STARVED}\nwhile time.monotonic() < until: pass"
_WORKERS = ("airflow worker -- ", "airflow supervisor: ", "[celeryd: ")
"""What processes are called that carry out tasks: our executor's, and Celery's."""
_NO_WORKER = ":MainProcess]"
_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True)
class Fault:
    """Something that is done to a stack, and is over when it returns."""

    name: str
    strike: Callable[[Stack], None]


def kill(part: str) -> Fault:
    """End a part's process at once, as the kernel does where memory is short."""

    def strike(stack: Stack) -> None:
        with suppress(psutil.Error, ProcessLookupError):
            stack.kill(part)

    return Fault(f"kill {part}", strike)


def keep_away(part: str) -> Fault:
    """End a part's process whenever it is there, for a minute."""

    def strike(stack: Stack) -> None:
        deadline = time.monotonic() + AWAY
        while time.monotonic() < deadline:
            with suppress(psutil.Error, ProcessLookupError):
                os.kill(stack.pid(part), signal.SIGKILL)
            time.sleep(0.5)

    return Fault(f"keep {part} away", strike)


def freeze(part: str, seconds: float = FROZEN) -> Fault:
    """Let a part do nothing for some seconds, and then go on as if nothing had been."""

    def strike(stack: Stack) -> None:
        with _frozen([stack.pid(part)]):
            time.sleep(seconds)

    return Fault(f"freeze {part}", strike)


def cut(database: str) -> Fault:
    """End every connection to a database."""

    def strike(stack: Stack) -> None:
        with suppress(psycopg2.Error):
            Databases(stack).ask(database, _CUT)

    return Fault(f"cut {database}", strike)


def _restart_postgres(stack: Stack) -> None:
    """Have PostgreSQL end its connections and itself, in order; its supervisor starts it again."""
    with suppress(ProcessLookupError):
        os.kill(stack.pid("postgres"), signal.SIGINT)


def _starve(_stack: Stack) -> None:
    """Leave the parts a small share of the processors for a while."""
    busy = [subprocess.Popen([sys.executable, "-c", _SPIN]) for _ in range(_BUSY)]
    for process in busy:
        process.wait()


def _use_up_connections(stack: Stack) -> None:
    """Leave nobody else a connection for some seconds."""
    with ExitStack() as taken:
        deadline = time.monotonic() + REFUSED
        while time.monotonic() < deadline:
            try:
                connection = psycopg2.connect(Databases(stack).dsn("postgres"))
                taken.callback(connection.close)
            except psycopg2.Error:
                time.sleep(0.2)


def _kill_a_task(stack: Stack) -> None:
    """End the process of a step that is at work, or a moment later none."""
    for process in workers(stack):
        with suppress(psutil.Error):
            if process.children():
                process.children()[0].kill()
                return


def _kill_a_worker(stack: Stack) -> None:
    """End one of the executor's processes."""
    for process in workers(stack):
        with suppress(psutil.Error):
            process.kill()
            return


def _kill_everything(stack: Stack) -> None:
    """End all processes at once, the supervisor first, as a power failure does; and start again."""
    supervisor = psutil.Process(_state(stack)["pid"])
    all_of_it = [supervisor, *supervisor.children(recursive=True)]
    for process in all_of_it:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(all_of_it, timeout=30)
    stack.again()


def _freeze_everything(stack: Stack) -> None:
    """Let the whole machine stand still for some seconds, as a laptop that is shut."""
    supervisor = psutil.Process(_state(stack)["pid"])
    with _frozen([process.pid for process in (supervisor, *supervisor.children(recursive=True))]):
        time.sleep(FROZEN)


def fill_disk(home: Path) -> Fault:
    """Leave no room in a home that is on a file system of its own."""

    def strike(stack: Stack) -> None:
        filling = home / "filling"
        try:
            with filling.open("wb") as file, suppress(OSError):
                while True:
                    file.write(bytes(1_000_000))
                    file.flush()
            time.sleep(REFUSED / 2)
            # What dies then is to be started again, though nothing can be written down.
            kill("mail").strike(stack)
            time.sleep(REFUSED / 2)
        finally:
            filling.unlink()

    return Fault("fill the disk", strike)


RESTART_POSTGRES = Fault("restart postgres", _restart_postgres)
STARVE = Fault("starve of the processor", _starve)
USE_UP_CONNECTIONS = Fault("use up the connections", _use_up_connections)
KILL_A_TASK = Fault("kill a task", _kill_a_task)
KILL_A_WORKER = Fault("kill a worker", _kill_a_worker)
KILL_EVERYTHING = Fault("kill everything", _kill_everything)
FREEZE_EVERYTHING = Fault("freeze everything", _freeze_everything)

OTHERS = (
    cut("automations"),
    cut("airflow"),
    RESTART_POSTGRES,
    USE_UP_CONNECTIONS,
    STARVE,
    KILL_A_TASK,
    KILL_A_WORKER,
)


def parts(stack: Stack) -> list[str]:
    """What a stack consists of, however it was started."""
    return [name for name, part in _state(stack)["parts"].items() if part["state"] != "done"]


def singly(stack: Stack) -> list[Fault]:
    """Each thing that can be done to each part, and to what they have in common."""
    found = parts(stack)
    return [*map(kill, found), *map(freeze, found), *OTHERS]


def pairs(stack: Stack, random: Random, count: int) -> list[Fault]:
    """Some pairs of single faults, one right after the other."""

    def pair() -> Fault:
        first, second = random.sample(singly(stack), 2)

        def strike(stack: Stack) -> None:
            first.strike(stack)
            second.strike(stack)

        return Fault(f"{first.name}, {second.name}", strike)

    return [pair() for _ in range(count)]


def short(stack: Stack, random: Random) -> list[Fault]:
    """What is tried beside each change: one of each way, the parts by chance."""
    found = parts(stack)
    random.shuffle(found)
    chosen = [
        *map(kill, found[:3]),
        freeze(found[3], 5.0),
        random.choice((cut("automations"), cut("airflow"), RESTART_POSTGRES)),
        random.choice((KILL_A_TASK, KILL_A_WORKER)),
    ]
    random.shuffle(chosen)
    return chosen


def whole(stack: Stack, random: Random) -> list[Fault]:
    """Each fault in turn, some in pairs, and all at once."""
    servers = [part for part in parts(stack) if part.startswith("api-server")]
    chosen = [*singly(stack), *map(keep_away, servers)]
    random.shuffle(chosen)
    return [*chosen, *pairs(stack, random, 6), FREEZE_EVERYTHING, KILL_EVERYTHING]


def workers(stack: Stack) -> list[psutil.Process]:
    """The executor's processes, those that have a task first."""
    found = []
    for process in psutil.Process(_state(stack)["pid"]).children(recursive=True):
        with suppress(psutil.Error):
            title = " ".join(process.cmdline())
            if title.startswith(_WORKERS) and _NO_WORKER not in title:
                # The process of a task has one of its own.
                found.append((not process.children(), process.pid, process))
    return [process for _, _, process in sorted(found, key=lambda one: one[:2])]


def _state(stack: Stack) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((stack.home / "run" / "state.json").read_text())
    return state


@contextmanager
def _frozen(pids: Sequence[int]) -> Iterator[None]:
    processes.kill(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        processes.kill(pids, signal.SIGCONT)
