"""The metrics of an installation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from automations.domain.statuses import Hold, RunStatus, WaitKind

BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of a step's duration in seconds; bucket i ends at the i-th, the last one nowhere."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is in hand.

    Args:
        runs: those in flight, by status.
        jobs: by kind and state: ``due``, ``later`` or ``dead``.
        lag: the seconds that the oldest due job has been due.
        waits: open pauses by kind.
        in_airflow: the runs that Airflow works on.
        express_workers: express workers that are there, on whichever machines.
        held_up: automations whose runs stand still in Airflow, by the reason.
    """

    runs: Mapping[RunStatus, int]
    jobs: Mapping[tuple[str, str], int]
    lag: float
    waits: Mapping[WaitKind, int]
    in_airflow: int
    express_workers: int
    held_up: Mapping[Hold, int]


@dataclass(frozen=True, slots=True)
class CounterValue:
    """How often something has happened.

    Args:
        kind: ``run_started``, ``run_ended``, ``step`` or ``event``.
        label: the trigger's or the step's type.
        outcome: the status in the end.
        bucket: of a step's duration.
        seconds: what it took in all.
    """

    kind: str
    label: str
    outcome: str
    bucket: int
    n: int
    seconds: float
