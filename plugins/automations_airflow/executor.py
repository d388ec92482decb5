"""Airflow's LocalExecutor, which also knows what it is running."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from airflow.executors.local_executor import LocalExecutor
from airflow.utils.state import TaskInstanceState


class TrackingLocalExecutor(LocalExecutor):
    """A LocalExecutor that a quickly answered question cannot confuse.

    A task that parks and is woken runs twice under one key. The stock executor forgets what it has
    handed to its workers, so when the end of the first leg is reported after the second has begun,
    the scheduler takes the second for killed and fails it; an answer given in Airflow is then lost.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]  # Airflow's
        self._in_hand: Counter[Any] = Counter()

    def _process_workloads(self, workload_list: Sequence[Any]) -> None:
        self._in_hand.update(workload.key for workload in workload_list)
        super()._process_workloads(workload_list)  # type: ignore[no-untyped-call]

    def change_state(self, key: Any, state: Any, *args: Any, **kwargs: Any) -> None:
        if state != TaskInstanceState.RUNNING:
            self._in_hand[key] -= 1
            if self._in_hand[key] <= 0:
                del self._in_hand[key]
        super().change_state(key, state, *args, **kwargs)

    def has_task(self, task_instance: Any) -> bool:
        held = {task_instance.key, task_instance.id}
        return super().has_task(task_instance) or not held.isdisjoint(self._in_hand)
