"""Runs light tasks of automations in the executor's warm worker itself.

A process of its own costs a task a fork, cold caches, a parsed DAG and six requests to the
api-server around its step: some 150 ms, and 300 ms of CPU time. So a worker makes the first try of
a light step itself, goes on with the steps that follow it (see ``run_ahead``), and marks all of
their tasks in one transaction.

Only success ends here. After anything else (a failure, a retry, a pause, marks that cannot be made)
the task goes back into the queue and runs in a process of its own, which finds on record what was
done. So nothing of how Airflow fails, defers or retries tasks is needed here.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, partial
from types import FrameType
from typing import Any

from airflow.configuration import conf
from airflow.sdk.exceptions import AirflowTaskTimeout
from airflow.sdk.listener import get_listener_manager
from airflow.utils.net import get_hostname
from airflow.utils.platform import getuser
from setproctitle import setproctitle
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError

from automations import wiring
from automations.definitions.published import run_id, workflow_id
from automations.execution import run_ahead
from automations.execution.captured_logs import CapturedLog
from automations.execution.journal import Journal
from automations.execution.run_ahead import LightNode
from automations.execution.verdicts import Proceed, Retry, TaskRef, Verdict
from automations.kit import tracing
from automations.settings import get_settings
from automations_airflow import airflow_versions
from automations_airflow.dags.dag_builder import build
from automations_airflow.executors import taken_tasks
from automations_airflow.executors.taken_tasks import TaskClaim
from automations_airflow.executors.workers import SETTLED, WorkerSpent
from automations_airflow.scheduler.marking import is_locked_by_others, mark
from automations_airflow.secrets import AIRFLOW_SECRETS
from automations_airflow.tasks.ahead import marks_of, within_its_time
from automations_airflow.tasks.ahead_logs import write_log
from automations_airflow.tasks.operators import StepTask
from automations_airflow.tasks.retries import reported_deaths, reporting

log = logging.getLogger(__name__)

OWNERSHIP_CHECK_INTERVAL = 5.0
"""Seconds between two checks that the task is still this process's."""
_MAX_MARKINGS = 5
"""Tries of marking: each waits up to two seconds for a scheduler that has the run locked."""


class _Superseded(BaseException):
    """Somebody cleared, marked or ended the task in Airflow while it was running."""


def carry_out(ordinarily: Callable[..., int], workload: Any, proctitle: str) -> int:
    """Run a workload in this process if it is light, and as Airflow does if that does not succeed.

    Args:
        ordinarily: Airflow's way, called with the workload and ``proctitle``.

    Returns:
        Its exit code; ``SETTLED`` if its tasks are marked.

    Raises:
        WorkerSpent: somebody has ended the task in Airflow.
    """
    verdict: Verdict | None = None
    try:
        task = _light_task(workload)
        if task is not None:
            verdict = _do(task, proctitle)
    except WorkerSpent:
        raise
    except Exception:
        log.exception("%s is carried out by a process of its own", workload.display_name)
    if isinstance(verdict, Proceed):
        return SETTLED
    # The process that it forks must not share a connection.
    _airflow().dispose()
    with reporting(verdict) if isinstance(verdict, Retry) else nullcontext():
        return ordinarily(workload, proctitle=proctitle)


@dataclass(frozen=True, slots=True)
class _LightTask:
    """A task that may run in a worker."""

    ti: Any
    dag: Any
    node: LightNode

    @property
    def ref(self) -> TaskRef:
        return self.node.ref


def _light_task(workload: Any) -> _LightTask | None:
    ti = getattr(workload, "ti", None)
    if (
        ti is None
        or ti.try_number != 1
        or reported_deaths()
        or not get_settings().run_ahead_seconds
    ):
        return None
    workflow, revision = workflow_id(ti.dag_id), workload.bundle_info.version
    if workflow is None or not revision or not airflow_versions.is_tested() or _is_listened_to():
        return None
    dag = _dag(workflow, int(revision))
    task = None if dag is None else dag.task_dict.get(ti.task_id)
    if not isinstance(task, StepTask):
        return None
    ref = TaskRef(
        run_id=run_id(workflow, ti.run_id),
        dag_run_id=ti.run_id,
        workflow_id=workflow,
        version=task.version,
        node_id=ti.task_id,
    )
    node = run_ahead.light_node(ref)
    return None if node is None else _LightTask(ti, dag, node)


def _is_listened_to() -> bool:
    """Whether a listener such as OpenLineage must be called in the task's own process."""
    hook = get_listener_manager().hook
    heard = (hook.on_task_instance_running, hook.on_task_instance_success)
    return any(caller.get_hookimpls() for caller in heard)


# A revision never changes, and a worker often gets tasks of the same one.
@lru_cache(maxsize=32)
def _dag(workflow: str, revision: int) -> Any:
    published = wiring.publications().at(workflow, revision)
    return None if published is None else build(published)


@lru_cache(maxsize=1)
def _airflow() -> Engine:
    """Airflow's database, for this process."""
    return create_engine(conf.get("database", "sql_alchemy_conn"), pool_size=1, pool_pre_ping=True)


# Cached, since it may ask a slow name server.
_hostname = lru_cache(maxsize=1)(get_hostname)


def _do(task: _LightTask, proctitle: str) -> Verdict | None:
    """Run a task and the steps that follow it.

    Returns:
        The task's verdict: a success that is marked in Airflow, or a retry; None if it did not run
        here, or if its own process is to find the verdict on record.

    Raises:
        WorkerSpent: somebody has ended the task in Airflow meanwhile.
    """
    taken = TaskClaim(str(task.ti.id), _hostname(), getuser(), os.getpid())
    airflow = _airflow()
    if not taken_tasks.take(airflow, taken):
        return None
    setproctitle(proctitle)
    verdict: Verdict | None = None
    try:
        with _keep_alive(airflow, taken):
            verdict = _steps(task)
            if isinstance(verdict, Proceed) and _is_marked(airflow, task, taken, verdict):
                return verdict
    except _Superseded:
        # The signal may have come at any line, so this process's state cannot be trusted.
        raise WorkerSpent(f"{proctitle} was ended in Airflow") from None
    except (Exception, AirflowTaskTimeout):
        log.exception("%s has not come to an end in its worker", proctitle)
    finally:
        tracing.flush()
    if not taken_tasks.requeue(airflow, taken):
        raise WorkerSpent(f"{proctitle} was ended in Airflow")
    return verdict if isinstance(verdict, Retry) else None


def _steps(task: _LightTask) -> Verdict:
    """Run a task's step and those that follow it; returns the verdict of its own."""
    engine, host = wiring.engine(AIRFLOW_SECRETS), partial(_in_the_name_of, task)
    budget = timedelta(seconds=get_settings().run_ahead_seconds)
    if (batch := task.node.batch) is not None:
        return run_ahead.run_batched(engine, batch, task.ref.node_id, host, budget)
    with host(task.ref.node_id) as journal:
        verdict = engine.run(task.ref, journal, brief=True)
    if isinstance(verdict, Proceed):
        try:
            run_ahead.run_following(engine, task.ref, verdict, host, budget)
        except (Exception, AirflowTaskTimeout):
            log.exception("A step that was done ahead of its task has ended without a result")
    return verdict


def _is_marked(airflow: Engine, task: _LightTask, taken: TaskClaim, done: Proceed) -> bool:
    """Mark the tasks of all steps that were done; False if that is not possible."""
    leg = run_ahead.leg(task.ref, done, whole=True)
    marks = marks_of(task.ref, leg, task.ti, taken.host, task.dag)
    for _ in range(_MAX_MARKINGS):
        try:
            with airflow.begin() as connection:
                return mark(connection, marks)
        except DBAPIError as error:
            if not is_locked_by_others(error):
                raise
    return False


@contextmanager
def _in_the_name_of(task: _LightTask, node_id: str) -> Iterator[Journal]:
    """Log as a node's own task, and keep to its timeout."""
    with CapturedLog() as captured:
        try:
            with within_its_time(task.dag.get_task(node_id)):
                yield Journal(captured.say)
        finally:
            names = {"dag_id": task.ti.dag_id, "run_id": task.ti.run_id}
            write_log(names, node_id, captured.lines)


@contextmanager
def _keep_alive(airflow: Engine, taken: TaskClaim) -> Iterator[None]:
    """Send heartbeats for the task.

    Raises:
        _Superseded: in the block, once the task is no longer this process's.
    """
    stopped = threading.Event()

    def look() -> None:
        while not stopped.wait(OWNERSHIP_CHECK_INTERVAL):
            try:
                is_own = taken_tasks.hold(airflow, taken)
            except DBAPIError:  # Airflow gives a task up only after minutes without heartbeats
                continue
            if not is_own:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                return

    def overrule(_number: int, _frame: FrameType | None) -> None:
        raise _Superseded

    before = signal.signal(signal.SIGUSR1, overrule)
    looking = threading.Thread(target=look, name="hold a task", daemon=True)
    looking.start()
    try:
        yield
    finally:
        stopped.set()
        try:
            looking.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
