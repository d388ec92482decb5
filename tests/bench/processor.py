"""Processor time of an engine's processes, and which part of it each of them is.

It is the kernel's account, and hardly depends on what else the machine does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from tests.bench.measuring import tree

Used = Mapping[tuple[int, float], float]
"""Seconds by process: its pid and when it was created."""


def used(pids: Iterable[int]) -> Used:
    """What processes have used so far, with their children that have ended."""
    found = {}
    for process in tree(pids):
        with suppress(psutil.NoSuchProcess):
            found[process.pid, process.create_time()] = seconds_of(process)
    return found


def by_part(before: Used, pids: Iterable[int]) -> dict[str, float]:
    """Seconds that the parts of an engine have used since.

    What a process has used that was begun and has ended meanwhile is its parent's.
    """
    found: dict[str, float] = defaultdict(float)
    for process in tree(pids):
        with suppress(psutil.NoSuchProcess):
            since = before.get((process.pid, process.create_time()), 0.0)
            found[part_of(process)] += seconds_of(process) - since
    return dict(found)


def seconds_of(process: psutil.Process) -> float:
    """What one process has used, with its children that have ended."""
    times = process.cpu_times()
    ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return float(times.user + times.system + ended)


def part_of(process: psutil.Process) -> str:
    """Which part a process is, by the words of its command that tell parts apart."""
    command = process.cmdline()
    title = " ".join(command)
    if "postgres" in process.name():
        # The server gives its processes titles: what they do, or for whom.
        words = title.removeprefix("postgres: ").split()
        return "postgres: " + (" ".join(words[:2]) if title.startswith("postgres: ") else "server")
    if "express_worker" in title:
        return "express_worker"
    for part in ("worker", "api-server", "api_server", "scheduler", "dag-processor", "triggerer"):
        if part in title:
            return f"airflow {part.replace('_', '-')}"
    for part in ("fork_server", "supervisor", "mail_catcher", "api_bridge", "executor", "launcher"):
        if part in title:
            return part
    return " ".join(Path(word).name for word in command[:3])[:40] or process.name()
