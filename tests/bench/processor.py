"""Processor time of an engine's processes, and which part of it each of them is.

It is the kernel's account, and hardly depends on what else the machine does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench.measuring import tree


@dataclass(frozen=True, slots=True)
class Process:
    """What a process has used so far.

    Args:
        seconds: with its children that have ended.
    """

    part: str
    seconds: float
    parent: int


Used = Mapping[tuple[int, float], Process]
"""By pid and time of creation."""


def used(pids: Iterable[int]) -> Used:
    """What processes have used so far."""
    found = {}
    for process in tree(pids):
        with suppress(psutil.NoSuchProcess):
            known = Process(part_of(process), _seconds_of(process), process.ppid())
            found[process.pid, process.create_time()] = known
    return found


def by_part(before: Used, pids: Iterable[int]) -> dict[str, float]:
    """Seconds that the parts of an engine have used since.

    What a process has used that has ended meanwhile is its parent's.
    """
    now, found = used(pids), defaultdict[str, float](float)
    parts = {pid: process.part for (pid, _), process in now.items()}
    for key, process in now.items():
        found[process.part] += process.seconds - (before[key].seconds if key in before else 0.0)
    for key in before.keys() - now.keys():
        # All that it has ever used is counted with its parent now.
        if (parent := parts.get(before[key].parent)) is not None:
            found[parent] -= before[key].seconds
    return dict(found)


def _seconds_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return float(times.user + times.system + ended)


def part_of(process: psutil.Process) -> str:
    """Which part a process is, by the words of its command that tell parts apart."""
    command = process.cmdline()
    title = " ".join(command)
    if "postgres" in process.name():
        # The server gives its processes titles: what they do, or for whom. What those used that
        # have ended is the server's.
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
