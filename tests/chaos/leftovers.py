"""Processes, files and connections of a stack that nothing needs any more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

import psutil

from tests.chaos.databases import Databases
from tests.chaos.faults import parts, workers
from tests.e2e.conftest import Stack

MAX_OF_A_PART = 8
"""Connections on average: many more are some that nobody gives back."""
MAX_OF_A_WORKER = 3
"""One for a step, one for its lock, and one to Airflow's database, which it keeps for the next."""
_IDLE = """
SELECT pid::text || ' ' || coalesce(application_name, '') || ': ' || query FROM pg_stat_activity
WHERE state LIKE 'idle in transaction%' AND state_change < now() - interval '10 seconds'
"""
_COUNT = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
_LOCKS = """
SELECT l.pid::text || ': ' || a.query FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE NOT l.granted AND a.query_start < now() - interval '10 seconds'
"""


def leftovers(stack: Stack) -> list[str]:
    """What is found, a line each."""
    return [*_processes(stack), *_files(stack), *_connections(stack)]


def _processes(stack: Stack) -> Iterator[str]:
    state = json.loads((stack.home / "run" / "state.json").read_text())
    supervisor = psutil.Process(state["pid"])
    ours = {supervisor.pid} | {child.pid for child in supervisor.children(recursive=True)}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid in ours:
                if process.status() == psutil.STATUS_ZOMBIE and process.ppid() == supervisor.pid:
                    yield f"process {process.pid} is dead, and nobody has taken note"
                elif process.status() == psutil.STATUS_STOPPED:
                    yield f"process {process.pid} is frozen"
            elif process.environ().get("AUTOMATIONS_HOME") == str(stack.home):
                yield f"process {process.pid}: {' '.join(process.cmdline())[:200]}"


def _files(stack: Stack) -> Iterator[str]:
    for pattern in ("*.new", "*.tmp", "filling"):
        yield from (
            f"file {path}" for path in stack.home.rglob(pattern) if "base" not in path.parts
        )


def _connections(stack: Stack) -> Iterator[str]:
    databases = Databases(stack)
    yield from (f"connection {row[0]}" for row in databases.ask("postgres", _IDLE))
    yield from (f"lock waited for by {row[0]}" for row in databases.ask("postgres", _LOCKS))
    count = databases.ask("postgres", _COUNT)[0][0]
    if count > MAX_OF_A_PART * len(parts(stack)) + MAX_OF_A_WORKER * len(workers(stack)):
        yield f"{count} connections"
