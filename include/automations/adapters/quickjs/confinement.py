"""What a process gives up before it runs a user's script: files, sockets, processes, memory.

Of the system calls, the few that an interpreter needs are left; every other one fails with EPERM.
"""

from __future__ import annotations

import math
import os
import resource
import signal
from contextlib import suppress

from automations.kit import seccomp
from automations.kit.parent_death import die_with

_NEEDED = (
    "read", "write", "close", "fstat", "lseek", "mmap", "mprotect", "munmap", "brk",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_yield", "mremap", "madvise", "getpid",
    "exit", "gettimeofday", "sigaltstack", "gettid", "futex", "restart_syscall", "clock_gettime",
    "exit_group", "getrandom",
)  # fmt: skip


def confine(seconds: float, memory: int) -> None:
    """Give up everything but computing, for good.

    Args:
        memory: bytes that this process may take in addition to what it has.

    Raises:
        OSError: the kernel does not do its part; nothing may be run then.
    """
    cpu = math.ceil(seconds) + 1
    die_with(os.getppid(), signal.SIGKILL)
    limits = {"CORE": 0, "FSIZE": 0, "NOFILE": 0, "CPU": cpu}
    with suppress(FileNotFoundError), open("/proc/self/statm") as statistics:
        pages = int(statistics.read().split()[0])
        limits["AS"] = pages * resource.getpagesize() + memory
    for name, limit in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))
    seccomp.allow(_NEEDED)
