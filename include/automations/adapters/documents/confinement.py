"""What the process that renders a document gives up, together with all that it starts."""

from __future__ import annotations

import math
import resource
import signal

from automations.kit import seccomp
from automations.kit.parent_death import die_with

_MAX_FILE_BYTES = 200_000_000
"""Of one file: what a document may be is less, but a program's own files come on the way to it."""
# LibreOffice listens on a socket of the machine's own for a second start; nobody calls anybody.
_NETWORK = ("connect", "sendto", "sendmsg", "sendmmsg")
# A process that left our group would outlive us.
_LEAVING = ("setsid", "setpgid")
_OTHER_PROCESSES = ("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd")
_SYSTEM = (
    "io_uring_setup", "bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key",
    "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "open_by_handle_at",
    "open_tree", "move_mount", "fsopen", "fsmount", "mount_setattr", "init_module",
    "finit_module", "kexec_load",
)  # fmt: skip


class Unconfined(Exception):
    """The kernel does not do its part; nothing may be done then."""


def confine(parent: int, seconds: int, memory: int, timeout: float, program_memory: int) -> None:
    """Give up, for good, what the work does not need; only outside programs may have more.

    Args:
        seconds: of computing, for this process.
        memory: address space in bytes, of this process.
        timeout: seconds after which everything is ended.
        program_memory: what a program may have that needs more.

    Raises:
        Unconfined: says why.
    """
    die_with(parent, signal.SIGKILL)
    # Of all processors that a program uses, in the time that it has.
    hard_limit = max(seconds + 1, 4 * math.ceil(timeout))
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard_limit))
        resource.setrlimit(resource.RLIMIT_AS, (memory, max(memory, program_memory)))
        seccomp.refuse((*_NETWORK, *_LEAVING, *_OTHER_PROCESSES, *_SYSTEM))
    except (OSError, ValueError) as error:
        raise Unconfined(str(error)) from error
