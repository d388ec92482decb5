"""What Airflow calls when one of its processes starts."""

from __future__ import annotations

import os
import sys
from typing import Any

from airflow.listeners import hookimpl

from automations_airflow import parking

_started_in: set[int] = set()


@hookimpl
def on_starting(component: Any) -> None:
    """Park waiting runs beside the scheduler, and warm what it forks."""
    if not _is_scheduler(component) or os.getpid() in _started_in:
        return
    _started_in.add(os.getpid())
    # Only the scheduler needs it, and it is slow to import.
    from automations_airflow.warming import warm

    warm()
    parking.start()


def _is_scheduler(component: Any) -> bool:
    # Every server starts with a ``Job`` whose type is not set yet; a task's process, which is
    # forked from the scheduler and has its arguments, starts with something else.
    return type(component).__name__ == "Job" and sys.argv[1:2] == ["scheduler"]
