"""Airflow's listener: called when one of its processes starts, and when an asset has changed."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from airflow.listeners import hookimpl

from automations.domain.assets import SCHEME
from automations_airflow import airflow_versions, beside_scheduler, installation
from automations_airflow.executors import job_processes

log = logging.getLogger(__name__)

_PARTS = ("scheduler", "triggerer", "dag-processor")

_started_in: set[int] = set()


@hookimpl
def on_starting(component: Any) -> None:
    """Start what we do in Airflow's processes: watch jobs, warm forks, run threads.

    In the dag-processor, show each DAG's definition as its code, and listen for new versions.
    """
    part = _part(component)
    if part is None or os.getpid() in _started_in or not installation.publishes():
        return
    _started_in.add(os.getpid())
    # With another Airflow's scheduler, tasks may be running in processes that outlive it.
    if installation.is_own():
        job_processes.watch(type(component))
    if part == "dag-processor":
        # Only this process writes Airflow's tables of code.
        from automations_airflow import processor_loop
        from automations_airflow.dags import dag_code

        dag_code.watch()
        # An Airflow of others parses DAGs as often as it is configured to.
        if installation.is_own():
            processor_loop.take_over()
        return
    if part == "triggerer" and airflow_versions.is_tested():
        from automations_airflow.waits import resuming

        resuming.take_turns()
    if part != "scheduler":
        return
    # Only the scheduler needs this, and the import is slow.
    from automations_airflow.executors.warming import warm

    warm()
    beside_scheduler.start()


def _part(component: Any) -> str | None:
    """The part of Airflow that this process is, if we have something to do in it."""
    # Every server starts with a ``Job`` whose type is not set yet. A task's process, which is
    # forked from the scheduler and has the same arguments, starts with something else.
    if type(component).__name__ != "Job" or len(sys.argv) < 2:
        return None
    return sys.argv[1] if sys.argv[1] in _PARTS else None


@hookimpl
def on_asset_event_emitted(asset_event: Any) -> None:
    """Put an asset's event into our inbox, over a connection of our own."""
    if not installation.publishes():
        return
    # Most processes never need it.
    from automations.services.events import assets

    asset = asset_event.asset
    # Events that the bridge reported to Airflow came from us.
    if asset_event.source_dag_id is None and asset.uri.startswith(SCHEME):
        return
    source = {
        "sourceDagId": asset_event.source_dag_id,
        "sourceTaskId": asset_event.source_task_id,
        "sourceRunId": asset_event.source_run_id,
    }
    try:
        assets.record(asset.name, asset.uri, asset_event.extra or {}, source)
    except Exception:  # must fail neither the task that has the outlet nor Airflow's server
        log.exception("The event of asset %s is lost to automations", asset.name)
