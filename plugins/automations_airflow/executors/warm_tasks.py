"""Does light tasks of automations in the executor's worker itself, which is warm.

A process of its own costs a task a fork, an interpreter's caches, a parsed DAG and six requests to
the api-server before and after its step: some 150 ms, and 300 of the processor. So a worker takes a
first try at a light step itself, goes on with what is behind it (see ``run_ahead``), and marks all
of that in one transaction.

Only what simply succeeds ends here. Anything else (a failure, a retry, a pause, marks that cannot
be made) goes back into the queue and is carried out as ever, by a process of its own, which finds
on record what was done. So nothing of Airflow's ways of failing, waiting or trying again is here.
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
from automations.execution.verdicts import Proceed, Retry, TaskRef, Verdict
from automations.kit import tracing
from automations.settings import get_settings
from automations_airflow import airflow_versions
from automations_airflow.dags.dag_builder import build
from automations_airflow.executors import taken_tasks
from automations_airflow.executors.taken_tasks import TaskClaim
from automations_airflow.executors.workers import WorkerSpent
from automations_airflow.scheduler.marking import is_locked_by_others, mark
from automations_airflow.secrets import AIRFLOW_SECRETS
from automations_airflow.tasks.ahead import marks_of, within_its_time
from automations_airflow.tasks.ahead_logs import write_log
from automations_airflow.tasks.operators import StepTask
from automations_airflow.tasks.retries import reported_deaths, reporting

log = logging.getLogger(__name__)

OWNERSHIP_CHECK_INTERVAL = 5.0
"""Seconds between two looks whether the task is still this process's."""
_MAX_MARKINGS = 5
"""Times that marking is tried: each waits two seconds for a scheduler that looks at the run."""


class _Superseded(BaseException):
    """Somebody has cleared, marked or ended the task in Airflow while it was done."""


def carry_out(ordinarily: Callable[..., int], workload: Any, proctitle: str) -> int:
    """Carry out a workload in this process, if it may be and comes to a success, or ordinarily.

    Args:
        ordinarily: as Airflow does it, given the workload and ``proctitle``.

    Raises:
        WorkerSpent: it is over, since somebody has ended it in Airflow.
    """
    came_to: Verdict | None = None
    try:
        found = _light_task(workload)
        if found is not None:
            came_to = _do(found, proctitle)
    except WorkerSpent:
        raise
    except Exception:
        log.exception("%s is carried out by a process of its own", workload.display_name)
    if isinstance(came_to, Proceed):
        return 0
    # The fork that it makes must not share a connection.
    _airflow().dispose()
    with reporting(came_to) if isinstance(came_to, Retry) else nullcontext():
        return ordinarily(workload, proctitle=proctitle)


@dataclass(frozen=True, slots=True)
class _LightTask:
    """A task that may be done in a worker."""

    ti: Any
    ref: TaskRef
    dag: Any


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
    return _LightTask(ti, ref, dag) if run_ahead.may_lead(ref) else None


def _is_listened_to() -> bool:
    """Whether somebody, such as OpenLineage, is to hear in a task's process what becomes of it."""
    hook = get_listener_manager().hook
    heard = (hook.on_task_instance_running, hook.on_task_instance_success)
    return any(one.get_hookimpls() for one in heard)


# A worker gets what it was given last; a revision never changes.
@lru_cache(maxsize=32)
def _dag(workflow: str, revision: int) -> Any:
    published = wiring.publications().at(workflow, revision)
    return None if published is None else build(published)


@lru_cache(maxsize=1)
def _airflow() -> Engine:
    """Airflow's database, for this process."""
    return create_engine(conf.get("database", "sql_alchemy_conn"), pool_size=1, pool_pre_ping=True)


# It asks the name server, which may take its time.
_hostname = lru_cache(maxsize=1)(get_hostname)


def _do(task: _LightTask, proctitle: str) -> Verdict | None:
    """Do a task and what is behind it.

    Returns:
        What it came to, as Airflow has it when that is a success; None when it was not done here,
        or Airflow has to find out what it came to.

    Raises:
        WorkerSpent: when somebody has ended it in Airflow meanwhile.
    """
    taken = TaskClaim(str(task.ti.id), _hostname(), getuser(), os.getpid())
    airflow = _airflow()
    if not taken_tasks.take(airflow, taken):
        return None
    setproctitle(proctitle)
    verdict: Verdict | None = None
    try:
        with _held(airflow, taken):
            verdict = _step(task)
            if isinstance(verdict, Proceed) and _is_marked(airflow, task, taken, verdict):
                return verdict
    except _Superseded:
        # It may have been anywhere, also between a connection and what was to be done with it.
        raise WorkerSpent(f"{proctitle} was ended in Airflow") from None
    except (Exception, AirflowTaskTimeout):
        log.exception("%s has not come to an end in its worker", proctitle)
    finally:
        tracing.flush()
    if not taken_tasks.requeue(airflow, taken):
        raise WorkerSpent(f"{proctitle} was ended in Airflow")
    return verdict if isinstance(verdict, Retry) else None


def _step(task: _LightTask) -> Verdict:
    engine = wiring.engine(AIRFLOW_SECRETS)
    with _in_the_name_of(task, task.ref.node_id) as journal:
        return engine.run(task.ref, journal, brief=True)


def _is_marked(airflow: Engine, task: _LightTask, taken: TaskClaim, done: Proceed) -> bool:
    """Do what is behind a task, and mark all of it; False when Airflow has to see to it."""
    budget = timedelta(seconds=get_settings().run_ahead_seconds)
    host = partial(_in_the_name_of, task)
    try:
        run_ahead.run_following(wiring.engine(AIRFLOW_SECRETS), task.ref, done, host, budget)
    except (Exception, AirflowTaskTimeout):
        log.exception("A step that was done ahead of its task has ended without a result")
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
    """Have what is told of a node be the log of its task, and keep to that one's time."""
    with CapturedLog() as told:
        try:
            with within_its_time(task.dag.get_task(node_id)):
                yield Journal(told.say)
        finally:
            names = {"dag_id": task.ti.dag_id, "run_id": task.ti.run_id}
            write_log(names, node_id, told.lines)


@contextmanager
def _held(airflow: Engine, taken: TaskClaim) -> Iterator[None]:
    """Say again and again that the task is worked on.

    Raises:
        _Overruled: in the block, when it is this process's no longer.
    """
    over = threading.Event()

    def look() -> None:
        while not over.wait(OWNERSHIP_CHECK_INTERVAL):
            try:
                mine = taken_tasks.hold(airflow, taken)
            except DBAPIError:  # Airflow gives it up after minutes only
                continue
            if not mine:
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
        over.set()
        try:
            looking.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
