"""Identifies processes by pid and start, since pids are reused."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STARTED = 19
"""Which word behind a process's name says when it was started, in the kernel's ticks."""


def can_adopt() -> bool:
    """Whether the system lets a process adopt its descendants' orphans."""
    return getattr(ctypes.CDLL(None), "prctl", None) is not None


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans, where the system can."""
    if can_adopt():
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def create_time(pid: int) -> float:
    """When a process was created, in seconds since the machine was started; 0 when there is none.

    By no clock that somebody sets: what is noted of a process is true of it as long as it lives.
    """
    try:
        if psutil.LINUX:
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return int(words[_STARTED]) / os.sysconf("SC_CLK_TCK")
        return psutil.Process(pid).create_time() - psutil.boot_time()
    except (psutil.Error, OSError):
        return 0.0


def to_unix_time(created: float) -> float:
    """When a process was created in seconds since 1970, by the clock as it is set now."""
    return psutil.boot_time() + created


def boot_id() -> str:
    """Of which start of this machine what is noted of processes is true."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def is_alive(pid: int, since: float) -> bool:
    """Whether the process runs that has this pid and was created then."""
    try:
        status = psutil.Process(pid).status()
        return abs(create_time(pid) - since) < 1.0 and status != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def processor_seconds(pid: int) -> float:
    """Processor time that a process has had; 0 when there is none."""
    try:
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    except psutil.Error:
        return 0.0


def is_frozen(pid: int) -> bool:
    """Whether a process was stopped by a signal, and does nothing until another one comes."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False


def is_starved() -> bool:
    """Whether so many processes want the processors that each gets less than half of one."""
    return os.getloadavg()[0] > 2 * processors()


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def session_members(session: int) -> list[int]:
    """The processes of a session; zombies are none."""
    members = []
    for pid in psutil.pids():
        with suppress(OSError, psutil.Error):
            if os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                members.append(pid)
    return members


def idle_members(session: int) -> list[int]:
    """The workers of a session that have no task: a task is a child, in a group of its own."""
    groups: dict[int, int] = {}
    busy = set()
    for pid in session_members(session):
        with suppress(OSError, psutil.Error):
            groups[pid] = os.getpgid(pid)
            busy.add(psutil.Process(pid).ppid())
    return [
        pid
        for pid, group in groups.items()
        if group == session and pid != session and pid not in busy
    ]


def kill(pids: Iterable[int], number: signal.Signals = signal.SIGKILL) -> None:
    """Signal processes; one that is gone does not matter."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def end_session(leader: int, since: float, number: signal.Signals, timeout: float) -> None:
    """End a session that an earlier supervisor left: its leader politely, then everything."""
    if is_alive(leader, since):
        kill([leader], number)
        deadline = time.monotonic() + timeout
        while is_alive(leader, since) and time.monotonic() < deadline:
            time.sleep(0.1)
    elif create_time(leader):
        return  # The number was given to another process, so the session is gone.
    kill(session_members(leader))
