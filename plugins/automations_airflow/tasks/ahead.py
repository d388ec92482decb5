"""Runs, in a task's process, the steps that follow its own, and has their tasks marked as done.

The scheduler starts no successor before this task reports success. So the task does that only when
the tasks that were done ahead are marked, or after a timeout.
"""

from __future__ import annotations

import getpass
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import timeout

from automations.execution import run_ahead
from automations.execution.engine import Engine
from automations.execution.journal import Journal
from automations.execution.run_ahead import DoneAhead, Leg
from automations.execution.verdicts import Proceed, TaskRef
from automations.services.runs import handovers
from automations.settings import get_settings
from automations_airflow import airflow_versions
from automations_airflow.scheduler.marking import SKIPPED, SUCCESS, Mark, Marks
from automations_airflow.tasks.ahead_logs import logging_as
from automations_airflow.tasks.finished_tasks import rendered_fields, xcoms_of

log = logging.getLogger(__name__)

MARK_TIMEOUT = timedelta(seconds=10)
"""How long to wait for the marks. Tasks whose marks come later begin processes of their own, of
which a busy machine has enough; a scheduler that is away for longer holds up the task no more."""


def run_following_tasks(
    engine: Engine, done: Proceed, context: Any, ref: TaskRef, journal: Callable[[], Journal]
) -> None:
    """Run the steps that follow a task's own, as far as possible, and have their tasks marked.

    Errors here are only logged: the task's own step is done, and the others have their own tasks.

    Args:
        done: the verdict of the task's own step.
        journal: returns a new journal that writes into the task's log.
    """
    budget = timedelta(seconds=get_settings().run_ahead_seconds)
    # After a clear, only Airflow knows which steps are to run again.
    if not budget or ref.generation or not airflow_versions.is_tested():
        return
    ti, dag = context["ti"], context["ti"].task.dag

    @contextmanager
    def in_its_name(node_id: str) -> Iterator[Journal]:
        with _in_the_name_of(dag.get_task(node_id), ti):
            yield journal()

    try:
        # This task's own timeout ends with its step.
        signal.setitimer(signal.ITIMER_REAL, 0)
        run_ahead.run_following(engine, ref, done, in_its_name, budget)
    except (Exception, AirflowTaskTimeout):
        log.exception("A step that was done ahead of its task has ended without a result")
    try:
        leg = run_ahead.leg(ref, done)
        if leg.done_ahead:
            _hand_over(ref, leg, ti, dag)
    except Exception:
        log.exception("The tasks that were done ahead are not marked")


def marks_of(ref: TaskRef, leg: Leg, ti: Any, host: str, dag: Any) -> Marks:
    """The states in which to mark the tasks of a leg.

    Args:
        ti: the task that led the leg.
        host: the machine that it ran on.
    """
    tasks = [_mark_of(done, dag.get_task(done.node_id), ti.run_id) for done in leg.done_ahead]
    for node_id, since in leg.left_out.items():
        instant = since.isoformat()
        tasks.append(Mark(node_id, SKIPPED, instant, instant, {}))
    return Marks(
        dag=ti.dag_id,
        run=ti.run_id,
        generation=ref.generation,
        leader=(ref.node_id, str(ti.id)),
        host=host,
        user=getpass.getuser(),
        pid=os.getpid(),
        tasks=tasks,
    )


def _hand_over(ref: TaskRef, leg: Leg, ti: Any, dag: Any) -> None:
    marks = marks_of(ref, leg, ti, ti.hostname, dag)
    names = ", ".join(dag.get_task(done.node_id).task_display_name for done in leg.done_ahead)
    if handovers.hand_over(ref.run_id, marks.to_json(), MARK_TIMEOUT):
        log.info("Done in this process, too: %s", names)
    else:
        log.warning("Done in this process, too, and not marked in time: %s", names)


def _mark_of(done: DoneAhead, task: Any, run_id: str) -> Mark:
    xcoms = xcoms_of(task, run_id, done.step_type, done.verdict.summary, done.verdict.targets)
    started, ended = done.started_at.isoformat(), done.ended_at.isoformat()
    return Mark(done.node_id, SUCCESS, started, ended, xcoms, rendered_fields(done.config))


@contextmanager
def _in_the_name_of(task: Any, ti: Any) -> Iterator[None]:
    """Log as another task, and keep to its timeout."""
    with logging_as(task.task_id, ti), within_its_time(task):
        yield


@contextmanager
def within_its_time(task: Any) -> Iterator[None]:
    """Enforce a task's timeout on the block, as Airflow does.

    Raises:
        AirflowTaskTimeout: the time is over.
    """
    if task.execution_timeout is None:
        yield
        return
    with timeout(task.execution_timeout.total_seconds()):
        yield
