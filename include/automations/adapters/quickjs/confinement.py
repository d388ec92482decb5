"""What a process gives up before it runs a user's script: files, sockets, processes, memory.

Limits of the kernel hold everywhere; on Linux with a known processor a list of the few system calls
that an interpreter needs is enforced as well, and every other one is refused with EPERM.
"""

from __future__ import annotations

import ctypes
import math
import platform
import resource
import sys
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SIGKILL = 9
_MODE_FILTER = 2
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in the kernel's seccomp_data
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000

_X86_64 = {
    "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "mmap": 9, "mprotect": 10,
    "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15,
    "sched_yield": 24, "mremap": 25, "madvise": 28, "getpid": 39, "exit": 60, "gettimeofday": 96,
    "sigaltstack": 131, "gettid": 186, "futex": 202, "restart_syscall": 219, "clock_gettime": 228,
    "exit_group": 231, "getrandom": 318,
}  # fmt: skip
_AARCH64 = {
    "read": 63, "write": 64, "close": 57, "fstat": 80, "lseek": 62, "mmap": 222, "mprotect": 226,
    "munmap": 215, "brk": 214, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139,
    "sched_yield": 124, "mremap": 216, "madvise": 233, "getpid": 172, "exit": 93,
    "gettimeofday": 169, "sigaltstack": 132, "gettid": 178, "futex": 98, "restart_syscall": 128,
    "clock_gettime": 113, "exit_group": 94, "getrandom": 278,
}  # fmt: skip
_KNOWN = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("operand", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("first", ctypes.POINTER(_Instruction)))


def confine(seconds: float, memory: int) -> None:
    """Give up everything but computing, for good.

    Args:
        memory: bytes that this process may take in addition to what it has.

    Raises:
        OSError: the kernel knows the call list's mechanism but does not take it.
    """
    cpu = math.ceil(seconds) + 1
    limits = {"CORE": 0, "FSIZE": 0, "NOFILE": 0, "CPU": cpu}
    statistics = Path("/proc/self/statm")
    if statistics.exists():
        pages = int(statistics.read_text().split()[0])
        limits["AS"] = pages * resource.getpagesize() + memory
    for name, most in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        _control(libc, _PR_SET_PDEATHSIG, _SIGKILL)
        if platform.machine() in _KNOWN:
            _refuse_calls(libc, *_KNOWN[platform.machine()])


def _refuse_calls(libc: ctypes.CDLL, architecture: int, calls: dict[str, int]) -> None:
    numbers = sorted(calls.values())
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *((_JUMP_EQUAL, len(numbers) - index, 0, call) for index, call in enumerate(numbers)),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = (_Instruction * len(program))(*(_Instruction(*line) for line in program))
    _control(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _control(libc, _PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(_Program(len(program), code)))


def _control(libc: ctypes.CDLL, option: int, value: int, argument: object = 0) -> None:
    if libc.prctl(option, value, argument or 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) was refused")
