"""Configures Celery's workers: they start warm, and write heartbeats.

Named by ``[celery] celery_config_options``; imported by the scheduler and by each worker.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow.executors.base_executor import BaseExecutor
from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG
from celery.signals import celeryd_init, heartbeat_sent, worker_init, worker_process_init

from automations.definitions.published import run_id, workflow_id
from automations.services.runs import killed
from automations.settings import get_settings
from automations_airflow.executors import orphans, workers
from automations_airflow.executors.task_ends import watch
from automations_airflow.executors.warming import warm

log = logging.getLogger(__name__)

CONFIG: dict[str, Any] = {
    **DEFAULT_CELERY_CONFIG,
    # A queue that is away is asked for as long as the executor lets it, and again in the next
    # round; with fewer tries the task would have failed by then.
    "task_publish_retry_policy": {
        "max_retries": None,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 0.5,
    },
    "broker_connection_max_retries": None,
}
"""The provider's own, with what a queue that is restarted needs."""

_beat: list[Path] = []
"""The file of this worker, whose age says whether it lives."""


def _set_beat_file(sender: str, **_: Any) -> None:
    name = sender.partition("@")[0]
    _beat[:] = [get_settings().home / "run" / f"{name}.beat"]


def _begin_warm(**_: Any) -> None:
    # Before its processes are forked from it.
    warm()


def begin(**_: Any) -> None:
    """Begin one of a worker's processes, which carries out one task at a time."""
    workers.yield_to_others()
    orphans.prevent()
    carry_out = BaseExecutor.run_workload

    def run_workload(workload: Any, **options: Any) -> int:
        try:
            with watch() as is_death:
                code = carry_out(workload, **options)
        finally:
            workers.set_idle_title()  # who looks for lost tasks goes by the name
        if is_death(code):
            note_death(workload)
        return code

    # Its answer is of use to nobody else here.
    BaseExecutor.run_workload = staticmethod(run_workload)  # type: ignore[method-assign]


def note_death(workload: Any) -> None:
    """Note that the process of a task was killed, for the one that begins its step again."""
    ti = getattr(workload, "ti", None)
    if ti is None or (automation := workflow_id(ti.dag_id)) is None:
        return
    try:
        killed.note(run_id(automation, ti.run_id))
    except Exception:  # it is tried again all the same, if more often
        log.exception("The death of %s of %s is not noted", ti.task_id, ti.run_id)


def _live(**_: Any) -> None:
    with suppress(OSError):
        for path in _beat:
            path.touch()


celeryd_init.connect(_set_beat_file)
worker_init.connect(_begin_warm)
worker_process_init.connect(begin)
heartbeat_sent.connect(_live)
