"""Goes on, in a task's process, with the steps behind its own, and has their tasks marked.

The scheduler begins no successor before this task has said that it is done; so that is said when
the tasks that were overtaken are marked, or after a short while without.
"""

from __future__ import annotations

import getpass
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from airflow.sdk.bases.skipmixin import XCOM_SKIPMIXIN_KEY, XCOM_SKIPMIXIN_SKIPPED
from airflow.sdk.exceptions import AirflowTaskTimeout
from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields
from airflow.sdk.execution_time.timeout import timeout
from airflow.sdk.execution_time.xcom import XCom

from automations.execution import run_ahead
from automations.execution.run_ahead import Leg, Overtaken, Run
from automations.execution.verdicts import Proceed, TaskRef, Verdict
from automations.services.runs import handovers
from automations.settings import get_settings
from automations_airflow import airflow_versions
from automations_airflow.marking import SKIPPED, SUCCESS, Mark, Marks
from automations_airflow.overtaken_logs import logging_as

log = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=1)
"""For the marks: a scheduler that is slow must not hold up the task for long."""


def overtake(done: Proceed, context: Any, ref: TaskRef, run: Run) -> None:
    """Do what may be done of the steps behind a task's own, and have it marked.

    Whatever goes wrong here: the task's own step is done, and the others have tasks of their own.

    Args:
        done: what the task's own step came to.
        run: does another step of the run, ahead of its task.
    """
    budget = timedelta(seconds=get_settings().run_ahead_seconds)
    # After a clear Airflow alone knows what is to be done anew.
    if not budget or ref.generation or not airflow_versions.is_tested():
        return
    ti, dag = context["ti"], context["ti"].task.dag

    def in_its_name(behind: TaskRef) -> Verdict:
        with _in_the_name_of(dag.get_task(behind.node_id), ti):
            return run(behind)

    try:
        # The limit of this task's own time ends with its step.
        signal.setitimer(signal.ITIMER_REAL, 0)
        run_ahead.go_on(ref, done, in_its_name, budget)
    except (Exception, AirflowTaskTimeout):
        log.exception("A step that was done ahead of its task has ended without a result")
    try:
        leg = run_ahead.leg(ref, done)
        if leg.overtaken:
            _hand_over(ref, leg, ti, dag)
    except Exception:
        log.exception("The tasks that were overtaken are not marked")


def left_out(task: Any, targets: tuple[str, ...] | None) -> list[str]:
    """Ids of a task's successors that no way from the targets leads to."""
    if targets is None:
        return []
    if not targets:
        # The run ends here. A join further down must not take this for one closed way of many.
        return sorted(task.get_flat_relative_ids(upstream=False))
    reached = set(targets)
    for target in targets:
        reached |= task.dag.get_task(target).get_flat_relative_ids(upstream=False)
    return sorted(task.downstream_task_ids - reached)


def _hand_over(ref: TaskRef, leg: Leg, ti: Any, dag: Any) -> None:
    tasks = [_mark_of(one, dag.get_task(one.node_id), ti.run_id) for one in leg.overtaken]
    for node_id, since in leg.left_out.items():
        moment = since.isoformat()
        tasks.append(Mark(node_id, SKIPPED, moment, moment, {}))
    marks = Marks(
        dag=ti.dag_id,
        run=ti.run_id,
        generation=ref.generation,
        leader=(ref.node_id, str(ti.id)),
        host=ti.hostname,
        user=getpass.getuser(),
        pid=os.getpid(),
        tasks=tasks,
    )
    names = ", ".join(one.node_id for one in leg.overtaken)
    if handovers.hand_over(ref.run_id, marks.to_json(), PATIENCE):
        log.info("Done in this process, too: %s", names)
    else:
        log.warning("Done in this process, too, and not marked in time: %s", names)


def _mark_of(one: Overtaken, task: Any, run_id: str) -> Mark:
    """What Airflow would know of a task that has run by itself."""
    pushed: dict[str, Any] = {"return_value": dict(one.verdict.summary)}
    if skipped := left_out(task, one.verdict.targets):
        pushed[XCOM_SKIPMIXIN_KEY] = {XCOM_SKIPMIXIN_SKIPPED: skipped}
    names = {"dag_id": task.dag_id, "task_id": task.task_id, "run_id": run_id}
    xcoms = {
        key: XCom.serialize_value(value, key=key, map_index=-1, **names)
        for key, value in pushed.items()
    }
    key = SimpleNamespace(**names)
    done: Any = SimpleNamespace(summary=one.verdict.summary)
    xcoms |= {link.xcom_key: link.get_link(done, ti_key=key) for link in task.operator_extra_links}
    shown = SimpleNamespace(template_fields=task.template_fields, config=dict(one.config))
    return Mark(
        one.node_id,
        SUCCESS,
        one.started_at.isoformat(),
        one.ended_at.isoformat(),
        xcoms,
        _serialize_rendered_fields(shown),
    )


@contextmanager
def _in_the_name_of(task: Any, ti: Any) -> Iterator[None]:
    """Write into the log of another task, and keep to its time."""
    with logging_as(task.task_id, ti):
        if task.execution_timeout is None:
            yield
            return
        with timeout(task.execution_timeout.total_seconds()):
            yield
