"""Runs tasks in processes of this machine, and knows which of them has what in hand."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from airflow.executors.base_executor import BaseExecutor, get_execution_api_server_url

from automations_airflow.executors import warm_tasks
from automations_airflow.executors.workers import Worker, WorkloadEnded

FORK_INTERVAL = 0.2
"""Seconds between two new workers: a scheduler that starts into a queue of work is not alone."""

TAKE_TIMEOUT = 60.0
"""Seconds after which a worker that has not taken what it was handed is taken for stuck."""

SHUTDOWN_TIMEOUT = 5.0
"""Seconds that running tasks get when the scheduler stops; what is cut off then begins anew."""


class PipeExecutor(BaseExecutor):
    """A local executor with a pipe for each worker, which it notices the death of.

    Airflow's own LocalExecutor has one queue for all its workers. Its lock dies with an idle
    worker that is killed, and no task is ever started again. It also forgets what it has handed
    out: a task that parks and is woken at once runs twice under one key, and when the end of the
    first leg is reported after the second has begun, the scheduler takes the second for killed.

    Workers are forked when there is work, up to ``parallelism``, and used again.
    """

    is_local = True
    serve_logs = True
    supports_multi_team = True
    supports_callbacks = True
    supports_connection_test = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._workers: list[Worker] = []
        self._deaths: Counter[Any] = Counter()
        """By task: how many of its processes were killed, which the next one is told."""
        self._may_fork_at = 0.0

    def start(self) -> None:
        """Nothing to do: there are no workers yet."""

    def has_task(self, task_instance: Any) -> bool:
        """Whether a task is queued or in a worker's hands, another leg of it included."""
        known = {task_instance.key, task_instance.id}
        return super().has_task(task_instance) or any(
            not known.isdisjoint(_names(worker.workload)) for worker in self._workers
        )

    def sync(self) -> None:
        """Report what has ended since, and mend what has died or is stuck."""
        for worker in list(self._workers):
            # Before it is listened to: what was said before an end is heard then.
            exit_code = worker.exit_code
            self._listen(worker)
            if exit_code is not None:
                self._drop_worker(worker, f"was killed or ended itself (code {exit_code})")
            elif self._is_stuck(worker):
                worker.kill()
                self._drop_worker(worker, "did not take what it was handed")

    def change_state(
        self, key: Any, state: Any, info: Any = None, remove_running: bool = True
    ) -> None:
        """Take note of a state that the scheduler has decided on, and end whoever works on it."""
        if remove_running:
            for worker in self._holders(key):
                self._dismiss(worker)
        super().change_state(key, state, info, remove_running)

    def revoke_task(self, *, ti: Any) -> None:
        """Forget a task that is queued, or in the hands of a worker, which is ended."""
        self.queued_tasks.pop(ti.key, None)
        for worker in self._holders(ti.key):
            self._dismiss(worker)
        self.running.discard(ti.key)

    def try_adopt_task_instances(self, tis: Sequence[Any]) -> list[Any]:
        """Keep the tasks that are here all the time; return the others, which begin anew.

        A starved scheduler misses its own heartbeats, and would reset what it has in hand.
        """
        held = {name for worker in self._workers for name in _names(worker.workload)}
        held |= {workload.ti.id for workload in self.queued_tasks.values()}
        others = [ti for ti in tis if ti.id not in held]
        for ti in others:
            # To begin anew is no attempt of the task's, so it must use up none.
            ti.max_tries += 1
        return others

    def end(self) -> None:
        """Let running tasks end for a moment, and no others begin."""
        self._finish(SHUTDOWN_TIMEOUT)

    def terminate(self) -> None:
        """End every task at once."""
        self._finish(0)

    def _process_workloads(self, workload_items: Sequence[Any]) -> None:
        for workload in workload_items:
            if not self._hand_out(workload):
                return  # It stays queued, and is offered again.
            for queue in (self.queued_tasks, self.queued_callbacks, self.queued_connection_tests):
                queue.pop(workload.key, None)
            self.running.add(workload.key)

    def _hand_out(self, workload: Any) -> bool:
        handed = self._find_worker(workload, self._deaths[_task(workload)])
        if handed:
            del self._deaths[_task(workload)]
        return handed

    def _find_worker(self, workload: Any, deaths: int) -> bool:
        # The one that was used last: what it has learned is still in the caches.
        for worker in reversed(self._workers):
            if worker.workload is None and worker.hand(workload, deaths):
                return True
        now = time.monotonic()
        if now < self._may_fork_at:
            return False
        self._may_fork_at = now + FORK_INTERVAL
        server = get_execution_api_server_url(self.conf)
        run = partial(self.run_workload, server=server, subprocess_logs_to_stdout=True)
        worker = Worker(partial(warm_tasks.carry_out, run))
        self._workers.append(worker)
        return worker.hand(workload, deaths)

    def _listen(self, worker: Worker) -> None:
        for word in worker.words():
            workload = worker.workload
            if not isinstance(word, WorkloadEnded):
                if workload.running_state is not None:
                    super().change_state(workload.key, workload.running_state, None, False)
                continue
            worker.workload = None
            self._workers.remove(worker)
            self._workers.append(worker)
            if word.killed:
                self._deaths[_task(workload)] += 1
            failed = word.error is not None
            self._report(workload, workload.failure_state if failed else None, word.error)

    def _drop_worker(self, worker: Worker, how: str) -> None:
        """Do without a worker that is no more."""
        self._workers.remove(worker)
        workload, taken, pid = worker.workload, worker.taken, worker.pid
        worker.reap()
        if workload is None:
            self.log.warning("An idle worker (%s) %s", pid, how)
        elif not taken:
            self.log.warning("A worker (%s) %s; another one does %s", pid, how, workload.key)
            if worker.deaths:
                self._deaths[_task(workload)] += worker.deaths
            self._requeue(workload)
        else:
            self._deaths[_task(workload)] += 1
            self.log.error("The worker (%s) of %s %s", pid, workload.key, how)
            self._report(workload, workload.failure_state, f"Its worker {how}.")

    def _requeue(self, workload: Any) -> None:
        self._forget_running(workload.key)
        # The queue of each kind is chosen as for a new one; the session is not used.
        self.queue_workload(workload, None)  # type: ignore[arg-type]

    def _report(self, workload: Any, failure: Any, error: str | None) -> None:
        state = workload.success_state if failure is None else failure
        self._forget_running(workload.key)
        super().change_state(workload.key, state, error, remove_running=False)

    def _forget_running(self, key: Any) -> None:
        """No longer count a key, unless another leg of the same task is in hand."""
        if not self._holders(key):
            self.running.discard(key)

    def _holders(self, key: Any) -> list[Worker]:
        return [w for w in self._workers if w.workload is not None and w.workload.key == key]

    def _is_stuck(self, worker: Worker) -> bool:
        waits = worker.workload is not None and not worker.taken
        return waits and time.monotonic() - worker.since > TAKE_TIMEOUT

    def _dismiss(self, worker: Worker) -> None:
        worker.kill()
        self._workers.remove(worker)
        worker.reap()

    def _finish(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        self.log.info("Waiting at most %.0f s for running tasks", timeout)
        while any(worker.workload for worker in self._workers) and time.monotonic() < deadline:
            time.sleep(0.05)
            self.sync()
        for worker in list(self._workers):
            self._dismiss(worker)


def _task(workload: Any) -> Any:
    """The same for every try at a task."""
    return getattr(workload.key, "primary", workload.key)


def _names(workload: Any) -> set[Any]:
    """By what the scheduler may ask for a workload."""
    if workload is None:
        return set()
    ti = getattr(workload, "ti", None)
    return {workload.key} if ti is None else {workload.key, ti.id}
