"""What Airflow calls when one of its processes starts."""

from __future__ import annotations

from typing import Any

from airflow.listeners import hookimpl

from automations_airflow import parking


@hookimpl
def on_starting(component: Any) -> None:
    """Park waiting runs beside the scheduler."""
    parking.start(component)
