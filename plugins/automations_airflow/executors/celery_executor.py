"""Celery's executor, which knows for certain what a dead scheduler had sent to the queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.celery.executors.celery_executor import CeleryExecutor
from airflow.utils.state import TaskInstanceState
from celery import states
from celery.result import AsyncResult


class QueueExecutor(CeleryExecutor):
    """Restarts what no worker has begun, when it takes over from another scheduler.

    A scheduler writes down that a task is queued, and sends it then. When it dies in between,
    Celery knows nothing of the task, which is what it knows of one that waits in the queue, too;
    Airflow's own class waits for ten minutes. To send one twice is safe: whoever comes second is
    told that there is no such try any more.
    """

    def try_adopt_task_instances(self, tis: Sequence[Any]) -> Sequence[Any]:
        """Watch over the tasks that workers have; return the others, which begin again."""
        queued = {
            ti.external_executor_id: ti
            for ti in tis
            if ti.state == TaskInstanceState.QUEUED and ti.external_executor_id is not None
        }
        results = self.bulk_state_fetcher.get_many([AsyncResult(task_id) for task_id in queued])
        unknown = [ti for task_id, ti in queued.items() if results[task_id][0] == states.PENDING]
        for ti in unknown:
            # To begin again is no attempt of the task's, so it must use up none.
            ti.max_tries += 1
        others = [ti for ti in tis if ti not in unknown]
        return [*unknown, *(super().try_adopt_task_instances(others) if others else ())]
