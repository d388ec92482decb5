"""Configures Celery's workers: they start warm, and write heartbeats.

Named by ``[celery] celery_config_options``; imported by the scheduler and by each worker.
"""

from __future__ import annotations

import logging
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow.executors.base_executor import BaseExecutor
from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG
from celery.signals import celeryd_init, heartbeat_sent, worker_init, worker_process_init

from automations.definitions.published import run_id, workflow_id
from automations.kit import parent_death
from automations.services.runs import killed
from automations.settings import get_settings
from automations_airflow.executors import workers
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
_parents: list[int] = []
"""The process, if it is this one, whose forks are tasks."""


def _set_beat_file(sender: str, **_: Any) -> None:
    name = sender.partition("@")[0]
    _beat[:] = [get_settings().home / "run" / f"{name}.beat"]


def _begin_warm(**_: Any) -> None:
    # Before its processes are forked from it.
    warm()


def begin(**_: Any) -> None:
    """Begin one of a worker's processes, which carries out one task at a time."""
    workers.yield_to_others()
    _parents[:] = [os.getpid()]
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


def _die_with_parent() -> None:
    """Have the process of a task end with the one that watches over it.

    By itself it would go on, with nobody to tell Airflow of its end, and be taken for one that
    lives until its heartbeat is old. What it forks itself is left alone.
    """
    while _parents:
        try:
            parent_death.die_with(_parents.pop(), signal.SIGKILL)
        except SystemExit:  # it is dead already, and no error of here reaches anybody
            os._exit(1)


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


os.register_at_fork(after_in_child=_die_with_parent)
celeryd_init.connect(_set_beat_file)
worker_init.connect(_begin_warm)
worker_process_init.connect(begin)
heartbeat_sent.connect(_live)
