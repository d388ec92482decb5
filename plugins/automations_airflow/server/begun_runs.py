"""Creates DagRuns some of whose steps were done before Airflow had the run.

Their rows, and those of their tasks, are inserted in the state that the run is in by then: done,
skipped, or still to be done by Airflow. No row that was there before is changed.
"""

from __future__ import annotations

import getpass
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.xcom import XComModel
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.utils.net import get_hostname
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import insert
from sqlalchemy.orm import Session

from automations.ports import DoneBefore, DoneTask
from automations_airflow.tasks.ahead_logs import write_log
from automations_airflow.tasks.finished_tasks import rendered_fields, xcoms_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BegunRun:
    """A DagRun, the structure that it was made of, and what was done of it before."""

    row: DagRun
    dag: SerializedDAG
    before: DoneBefore


def end(row: DagRun, before: DoneBefore) -> None:
    """Have a DagRun that is to be inserted stand as ended, if the run has."""
    if before.ended is None:
        return
    row.state = DagRunState.SUCCESS if before.ended == "success" else DagRunState.FAILED
    row.run_after = row.queued_at = row.start_date = before.began_at
    row.end_date = before.ended_at or before.began_at


def as_done(tasks: Iterable[dict[str, Any]], before: DoneBefore | None) -> Iterator[dict[str, Any]]:
    """Tasks that are to be inserted, as they stand after what was done before."""
    if before is None:
        yield from tasks
        return
    by_id = {task.task_id: task for task in before.tasks}
    last = before.ended_at or before.began_at
    for task in tasks:
        earlier = by_id.get(task["task_id"])
        if earlier is not None and earlier.state == "done":
            yield task | _done_columns(earlier)
        elif earlier is not None and earlier.state == "left_out":
            yield task | _skipped_columns(earlier.started_at)
        elif before.ended is not None:
            # Nothing is done of it any more, nor is there anything in a later structure.
            yield task | _skipped_columns(last)
        else:
            yield task | {"state": None}


def show(session: Session, runs: Sequence[BegunRun]) -> None:
    """Add to DagRuns that were inserted what their tasks would have left; and write their logs."""
    xcoms: list[dict[str, Any]] = []
    fields: list[dict[str, Any]] = []
    for run in runs:
        for done in run.before.tasks:
            if done.task_id not in run.dag.task_dict:
                continue
            if done.state == "done":
                xcoms += _xcoms(run, done)
                fields.append({**_key(run, done), "rendered_fields": rendered_fields(done.config)})
            if done.lines:
                _write(run, done)
    if xcoms:
        session.execute(insert(XComModel.__table__), xcoms)
    if fields:
        session.execute(insert(RenderedTaskInstanceFields.__table__), fields)


def _done_columns(task: DoneTask) -> dict[str, Any]:
    return {
        "state": TaskInstanceState.SUCCESS,
        **_times(task.started_at, task.ended_at),
        "scheduled_dttm": task.started_at,
        "queued_dttm": task.started_at,
        "try_number": 1,
        "hostname": get_hostname(),
        "unixname": getpass.getuser(),
    }


def _skipped_columns(at: datetime) -> dict[str, Any]:
    return {"state": TaskInstanceState.SKIPPED, **_times(at, at)}


def _times(started: datetime, ended: datetime) -> dict[str, Any]:
    seconds = (ended - started).total_seconds()
    return {"start_date": started, "end_date": ended, "duration": seconds}


def _key(run: BegunRun, done: DoneTask) -> dict[str, Any]:
    return {
        "dag_id": run.row.dag_id,
        "run_id": run.row.run_id,
        "task_id": done.task_id,
        "map_index": -1,
    }


def _xcoms(run: BegunRun, done: DoneTask) -> Iterator[dict[str, Any]]:
    task, run_id = run.dag.get_task(done.task_id), run.row.run_id
    targets = None if done.targets is None else tuple(done.targets)
    if targets is not None and not set(targets) <= run.dag.task_dict.keys():
        targets = None  # Of a later structure, which has other ways.
    for key, value in xcoms_of(task, run_id, done.step_type, done.summary, targets).items():
        yield {
            **_key(run, done),
            "dag_run_id": run.row.id,
            "key": key,
            "dag_result": False,
            "value": value,
            "timestamp": done.ended_at,
        }


def _write(run: BegunRun, done: DoneTask) -> None:
    names = {"dag_id": run.row.dag_id, "run_id": run.row.run_id}
    try:
        write_log(names, done.task_id, done.lines)
    except Exception:  # the run is there all the same
        log.exception("The log of %s of %s is not written", done.task_id, run.row.run_id)
