"""Tasks whose processes Airflow's own supervisor ends."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

from airflow.sdk.execution_time.supervisor import WatchedSubprocess


def end_by_airflow(_workload: Any, **_: Any) -> int:
    """Carry out a workload as when its task is cleared meanwhile; returns the exit code."""
    process = SimpleNamespace(_exit_code=-signal.SIGKILL)
    WatchedSubprocess.kill(process, signal.SIGTERM, force=True)  # type: ignore[arg-type]
    return -signal.SIGKILL
