"""Filters the system calls of a process and its children, by Linux's seccomp.

A list holds for good. Calls that are not on it fail with EPERM; another processor's calls, by which
a list of numbers could be got around, end the process.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from collections.abc import Iterable

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_MODE_FILTER = 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in the kernel's seccomp_data
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
_X32 = 0x40000000
"""Begins the second set of numbers that x86_64 has; no other processor has as many calls."""
_AF_UNIX = 1

# Since 424, a new call has one number everywhere.
_EVERYWHERE = {
    "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432,
    "pidfd_getfd": 438, "mount_setattr": 442,
}  # fmt: skip
_X86_64 = _EVERYWHERE | {
    "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "mmap": 9, "mprotect": 10,
    "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15,
    "sched_yield": 24, "mremap": 25, "madvise": 28, "getpid": 39, "socket": 41, "connect": 42,
    "sendto": 44, "sendmsg": 46, "exit": 60, "gettimeofday": 96, "ptrace": 101, "setpgid": 109,
    "setsid": 112, "sigaltstack": 131, "pivot_root": 155, "chroot": 161, "mount": 165,
    "umount2": 166, "init_module": 175, "gettid": 186, "futex": 202, "restart_syscall": 219,
    "clock_gettime": 228, "exit_group": 231, "kexec_load": 246, "add_key": 248, "request_key": 249,
    "keyctl": 250, "unshare": 272, "perf_event_open": 298, "open_by_handle_at": 304,
    "sendmmsg": 307, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311,
    "finit_module": 313, "getrandom": 318, "bpf": 321, "userfaultfd": 323,
}  # fmt: skip
# The kernel's generic numbers, which processors have that are younger than them.
_GENERIC = _EVERYWHERE | {
    "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "close": 57, "lseek": 62,
    "read": 63, "write": 64, "fstat": 80, "exit": 93, "exit_group": 94, "unshare": 97, "futex": 98,
    "kexec_load": 104, "init_module": 105, "clock_gettime": 113, "ptrace": 117, "sched_yield": 124,
    "restart_syscall": 128, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135,
    "rt_sigreturn": 139, "setpgid": 154, "setsid": 157, "gettimeofday": 169, "getpid": 172,
    "gettid": 178, "socket": 198, "connect": 203, "sendto": 206, "sendmsg": 211, "brk": 214,
    "munmap": 215, "mremap": 216, "add_key": 217, "request_key": 218, "keyctl": 219, "mmap": 222,
    "mprotect": 226, "madvise": 233, "perf_event_open": 241, "open_by_handle_at": 265, "setns": 268,
    "sendmmsg": 269, "process_vm_readv": 270, "process_vm_writev": 271, "finit_module": 273,
    "getrandom": 278, "bpf": 280, "userfaultfd": 282,
}  # fmt: skip
_PROCESSORS = {
    "x86_64": (0xC000003E, _X86_64),
    "aarch64": (0xC00000B7, _GENERIC),
    "riscv64": (0xC00000F3, _GENERIC),
    "loongarch64": (0xC0000102, _GENERIC),
}

_Line = tuple[int, int, int, int]


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("operand", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("first", ctypes.POINTER(_Instruction)))


def allow(calls: Iterable[str]) -> None:
    """Refuse every call but these.

    Raises:
        OSError: no list can be enforced here; then nothing has changed.
    """
    architecture, call_numbers = _numbers()
    numbers = sorted(call_numbers[call] for call in calls)
    _install(
        architecture,
        [
            *((_EQUAL, len(numbers) - index, 0, call) for index, call in enumerate(numbers)),
            (_RETURN, 0, 0, _REFUSE),
            (_RETURN, 0, 0, _ALLOW),
        ],
    )


def refuse(calls: Iterable[str]) -> None:
    """Refuse these calls, and sockets of every family but the machine's own (AF_UNIX).

    Raises:
        OSError: no list can be enforced here; then nothing has changed.
    """
    architecture, call_numbers = _numbers()
    numbers = sorted(call_numbers[call] for call in calls)
    behind: list[_Line] = [
        (_EQUAL, 0, 2, call_numbers["socket"]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 0, 1, _AF_UNIX),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    to_refusal = len(behind) - 1
    _install(
        architecture,
        [
            (_AT_LEAST, len(numbers) + to_refusal, 0, _X32),
            *(
                (_EQUAL, len(numbers) - 1 - index + to_refusal, 0, call)
                for index, call in enumerate(numbers)
            ),
            *behind,
        ],
    )


def _numbers() -> tuple[int, dict[str, int]]:
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _PROCESSORS:
        raise OSError(
            errno.ENOSYS, f"system calls cannot be refused on {platform.system()} {machine}"
        )
    return _PROCESSORS[machine]


def _install(architecture: int, lines: Iterable[_Line]) -> None:
    program: list[_Line] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *lines,
    ]
    code = (_Instruction * len(program))(*(_Instruction(*line) for line in program))
    libc = ctypes.CDLL(None, use_errno=True)
    _control(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _control(libc, _PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(_Program(len(program), code)))


def _control(libc: ctypes.CDLL, option: int, value: int, argument: object = 0) -> None:
    if libc.prctl(option, value, argument or 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}) was refused: {os.strerror(number)}")
