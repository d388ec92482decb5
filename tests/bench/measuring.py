"""What the benchmarks have in common."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
import requests

ROOT = Path(__file__).resolve().parents[2]
POLL = 0.03
T = TypeVar("T")


class BenchError(Exception):
    """Something did not work, or not in time."""


def until(what: str, look: Callable[[], T | None], seconds: float, poll: float = POLL) -> T:
    """Look again and again until there is something to see."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(poll)
    raise BenchError(f"waited {seconds:.0f} s for {what}")


def plain_environment() -> dict[str, str]:
    """The environment without settings of any installation of ours or of Airflow."""
    ours = ("AIRFLOW_", "AUTOMATIONS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def answer_of(answer: requests.Response) -> Any:
    if not answer.ok:
        raise BenchError(f"{answer.request.method} {answer.url}: {answer.text}")
    return answer.json() if answer.content else None


def tree(pids: Iterable[int]) -> list[psutil.Process]:
    """Some processes and all their descendants."""
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            top = psutil.Process(pid)
            found |= {process.pid: process for process in (top, *top.children(recursive=True))}
    return list(found.values())


def memory(pids: Iterable[int]) -> float:
    """MB of the processes' trees: PSS, which counts shared pages once; RSS where it is unknown."""
    total = 0.0
    for process in tree(pids):
        with suppress(psutil.NoSuchProcess):
            total += memory_of(process)
    return total


def memory_of(process: psutil.Process) -> float:
    """MB of one process, as ``memory``."""
    try:
        full = process.memory_full_info()
        return float(getattr(full, "pss", full.rss)) / 1e6
    except psutil.AccessDenied:
        return float(process.memory_info().rss) / 1e6


def end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Stop processes of ours and their descendants, by pid; politely first."""
    processes = list(processes)
    everything = tree(process.pid for process in processes)
    for process in processes:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 15
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, deadline - time.monotonic()))
    for member in everything:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
