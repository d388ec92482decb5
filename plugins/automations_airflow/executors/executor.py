"""The executor: runs tasks in worker processes of this machine, and knows which has which."""

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
"""Seconds between two forks, so that a scheduler that starts with a full queue leaves CPU time to
others."""

TAKE_TIMEOUT = 60.0
"""Seconds after which a worker that has not acknowledged its workload counts as stuck."""

SHUTDOWN_TIMEOUT = 5.0
"""Seconds that running tasks get when the scheduler stops; those that are cut off begin again."""


class PipeExecutor(BaseExecutor):
    """A local executor with one pipe per worker, so that it notices when a worker dies.

    Airflow's own LocalExecutor has one queue for all its workers. If an idle worker is killed, the
    queue's lock is never released and no task is started any more. It also forgets what it handed
    out: a task that parks and is woken at once runs twice under one key, and if the end of the
    first leg is reported after the second has begun, the scheduler believes the second was killed.

    Workers are forked when there is work, up to ``parallelism``, and reused.
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
        """How many processes of each task were killed, which its next process is told."""
        self._may_fork_at = 0.0

    def start(self) -> None:
        """Nothing to do: there are no workers yet."""

    def has_task(self, task_instance: Any) -> bool:
        """Whether a task, or another leg of it, is queued or handed to a worker."""
        names = {task_instance.key, task_instance.id}
        return super().has_task(task_instance) or any(
            not names.isdisjoint(_names(worker.workload)) for worker in self._workers
        )

    def sync(self) -> None:
        """Report workloads that have ended, and replace workers that have died or are stuck."""
        for worker in list(self._workers):
            # Read first, so that everything a worker said before it ended is still heard.
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
        """Accept a state that the scheduler has decided on, and end the worker on that task."""
        if remove_running:
            for worker in self._holders(key):
                self._dismiss(worker)
        super().change_state(key, state, info, remove_running)

    def revoke_task(self, *, ti: Any) -> None:
        """Forget a task that is queued, or end the worker that has it."""
        self.queued_tasks.pop(ti.key, None)
        for worker in self._holders(ti.key):
            self._dismiss(worker)
        self.running.discard(ti.key)

    def try_adopt_task_instances(self, tis: Sequence[Any]) -> list[Any]:
        """Keep the tasks that this executor still has; return the others, to be reset.

        A starved scheduler misses its own heartbeats, and would reset the tasks that it is running.
        """
        held = {name for worker in self._workers for name in _names(worker.workload)}
        held |= {workload.ti.id for workload in self.queued_tasks.values()}
        others = [ti for ti in tis if ti.id not in held]
        for ti in others:
            # A reset is not an attempt of the task's, so it must not use one up.
            ti.max_tries += 1
        return others

    def end(self) -> None:
        """Give running tasks a moment to end, and start no others."""
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
        # The one that was used last, since its caches are warm.
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
            if word.settled:
                # The scheduler would lock and load the task to compare what is equal.
                self._forget_running(workload.key)
                continue
            failed = word.error is not None
            self._report(workload, workload.failure_state if failed else None, word.error)

    def _drop_worker(self, worker: Worker, how: str) -> None:
        """Remove a dead worker, and requeue or fail its workload."""
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
        # Chooses the queue by the workload's kind; the session is not used.
        self.queue_workload(workload, None)  # type: ignore[arg-type]

    def _report(self, workload: Any, failure: Any, error: str | None) -> None:
        state = workload.success_state if failure is None else failure
        self._forget_running(workload.key)
        super().change_state(workload.key, state, error, remove_running=False)

    def _forget_running(self, key: Any) -> None:
        """No longer count a key as running, unless a worker has another leg of the same task."""
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
    """A task's key without the number of its try."""
    return getattr(workload.key, "primary", workload.key)


def _names(workload: Any) -> set[Any]:
    """The keys under which the scheduler may ask for a workload."""
    if workload is None:
        return set()
    ti = getattr(workload, "ti", None)
    return {workload.key} if ti is None else {workload.key, ti.id}
