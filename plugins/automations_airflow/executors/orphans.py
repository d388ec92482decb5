"""Ends the process of a task with the one that watches over it.

By itself it would go on with nobody to tell Airflow of its end, and hold its step's lock meanwhile:
no other process could begin the step. Linux only.
"""

from __future__ import annotations

import os
import signal

from automations.kit import parent_death

_watching: list[int] = []
"""This process, if what it forks are tasks."""


def prevent() -> None:
    """Have what this process forks from now on end with it; what those fork is left alone."""
    _watching[:] = [os.getpid()]


def _after_fork() -> None:
    while _watching:
        try:
            parent_death.die_with(_watching.pop(), signal.SIGKILL)
        except SystemExit:  # it is dead already, and an error in here would reach nobody
            os._exit(1)


os.register_at_fork(after_in_child=_after_fork)
