"""Ends a command with its parent: ``parent_death.py SIGNAL PARENT COMMAND...``.

A program of its own, not a ``preexec_fn``: that is unsafe in a process with threads. It is run
without any package in reach.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent: int, number: int) -> None:
    """Have this process signalled when its parent dies, where the system can; exit if it has."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("The parent process is gone.")


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then become the command."""
    number, parent, *command = arguments
    die_with(int(parent), int(number))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
