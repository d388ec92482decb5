"""Tells a task's process that was killed from one that Airflow itself has ended.

Airflow ends what was cleared or marked meanwhile, or has lost its server: no fault of the step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def watch() -> Iterator[Callable[[object], bool]]:
    """Watch this process carry out one workload; yields whether an exit code is a death."""
    # Imported by who carries something out alone, and does so in any case.
    from airflow.sdk.execution_time.supervisor import WatchedSubprocess

    kill = WatchedSubprocess.kill
    ended = []

    def end(process: WatchedSubprocess, *signals: Any, **options: Any) -> None:
        ended.append(process)
        kill(process, *signals, **options)

    # The exit code is the same for both, and nothing else is handed out.
    WatchedSubprocess.kill = end  # type: ignore[assignment, method-assign]
    try:
        yield lambda code: isinstance(code, int) and code < 0 and not ended
    finally:
        WatchedSubprocess.kill = kill  # type: ignore[method-assign]
