"""Logs into the log of another task than the one whose process this is."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

from airflow.sdk.log import init_log_file, load_remote_log_handler
from airflow.utils.helpers import log_filename_template_renderer

from automations.definitions.published import run_id, workflow_id

log = logging.getLogger(__name__)


@contextmanager
def logging_as(task_id: str, ti: Any) -> Iterator[None]:
    """Write all lines of this process into the file that Airflow shows as a task's first try.

    Args:
        ti: the task whose process this is, of the same run.
    """
    path = _path(task_id, ti)
    handlers = [
        handler
        for handler in logging.getLogger().handlers
        if type(handler) is logging.StreamHandler  # as Airflow makes it for task processes
    ]
    with init_log_file(path).open("a", encoding="utf-8") as file:
        streams = [(handler, handler.setStream(file)) for handler in handlers]
        try:
            yield
        finally:
            for handler, stream in streams:
                if stream is not None:
                    handler.setStream(stream)
    _upload(path)


def write_log(run: Mapping[str, str], task_id: str, lines: Iterable[Sequence[str]]) -> None:
    """Write what was told of a step into the file that Airflow shows as its task's first try.

    Args:
        run: its ``dag_id`` and ``run_id``.
        lines: of each line when it was written, its level, who has written it and its text.
    """
    path = _path(task_id, SimpleNamespace(**run))
    workflow = workflow_id(run["dag_id"]) or ""
    # As the first line of a task's own process has it.
    about = {"workflowId": workflow, "runId": run_id(workflow, run["run_id"]), "stepId": task_id}
    # Again: who makes the run once more, after a failure, writes the same once more.
    with init_log_file(path).open("w", encoding="utf-8") as file:
        for at, level, logger, text in lines:
            line = {"timestamp": at, "level": level, "event": text, "logger": logger, **about}
            file.write(f"{json.dumps(line, ensure_ascii=False)}\n")
            about = {}
    _upload(path)


def _path(task_id: str, ti: Any) -> str:
    other = SimpleNamespace(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=task_id,
        map_index=-1,
        try_number=1,
        logical_date=getattr(ti, "logical_date", None),
    )
    path: str = log_filename_template_renderer()(ti=other)
    return path


def _upload(path: str) -> None:
    """Bring the file where Airflow keeps its logs, when that is elsewhere."""
    with suppress(Exception):  # the file is here, as after a failure of Airflow's own
        if (remote := load_remote_log_handler()) is not None:
            remote.upload(path, None)
