"""What Airflow calls when one of its processes starts, and when an asset has changed."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from airflow.listeners import hookimpl

from automations_airflow import parking

log = logging.getLogger(__name__)

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


@hookimpl
def on_asset_event_emitted(asset_event: Any) -> None:
    """Put an asset's event into the inbox, by a connection of our own."""
    # Most processes never need it.
    from automations.services.events import assets

    asset = asset_event.asset
    source = {
        "sourceDagId": asset_event.source_dag_id,
        "sourceTaskId": asset_event.source_task_id,
        "sourceRunId": asset_event.source_run_id,
    }
    try:
        assets.record(asset.name, asset.uri, asset_event.extra or {}, source)
    except Exception:  # The task that has the outlet is not to blame, nor is Airflow's server.
        log.exception("The event of asset %s is lost to automations", asset.name)
