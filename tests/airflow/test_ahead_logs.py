"""The log of a task whose step was done elsewhere, where Airflow keeps logs on another machine."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.configuration import conf
from airflow.sdk import log as airflows_log

from automations_airflow.tasks.ahead_logs import write_log

RUN = {"dag_id": "automation_c" + "1" * 24, "run_id": "c" + "2" * 24}
LINES = [
    ["2026-03-01T09:00:00Z", "info", "automations.step", "Step 'a'"],
    ["2026-03-01T09:00:01Z", "info", "automations.step", "Done"],
]


class OtherMachine:
    """A place for logs, as Airflow's providers for buckets are, that takes them into a folder."""

    processors = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_away = False

    def upload(self, path: os.PathLike[str] | str, ti: Any = None) -> None:
        if self.is_away:
            raise ConnectionError("the bucket is away")
        # A path under Airflow's folder of logs, as its supervisors give it, too.
        kept = self.folder / path
        kept.parent.mkdir(parents=True)
        shutil.copy(Path(conf.get("logging", "base_log_folder")) / path, kept)

    def read(self, relative_path: str, ti: Any) -> Any:
        raise AssertionError("nothing is read here")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[OtherMachine]:
    configured = airflows_log._ActiveLoggingConfig
    before = airflows_log.load_remote_log_handler()
    place = OtherMachine(tmp_path)
    configured.set(place, None)
    yield place
    configured.set(before, None)


def test_it_is_brought_there_as_airflow_brings_others(elsewhere: OtherMachine) -> None:
    write_log(RUN, "a", LINES)
    (kept,) = elsewhere.folder.rglob("*.log")
    assert [part.partition("=")[0] for part in kept.relative_to(elsewhere.folder).parts] == [
        "dag_id", "run_id", "task_id", "attempt",
    ]  # fmt: skip
    first, second = map(json.loads, kept.read_text().splitlines())
    assert (first["event"], first["stepId"]) == ("Step 'a'", "a")
    # Airflow's page shows the ids behind each line that has them.
    assert second == {
        "timestamp": "2026-03-01T09:00:01Z",
        "level": "info",
        "event": "Done",
        "logger": "automations.step",
    }


def test_it_is_here_where_it_cannot_be_brought_there(elsewhere: OtherMachine) -> None:
    elsewhere.is_away = True
    write_log({**RUN, "run_id": "c" + "3" * 24}, "a", LINES)
    folder = Path(conf.get("logging", "base_log_folder"))
    (file,) = folder.glob(f"dag_id={RUN['dag_id']}/run_id=c{'3' * 24}/task_id=a/attempt=1.log")
    assert len(file.read_text().splitlines()) == 2
