"""The dag-processor rests with nothing to parse, and has never much in its queue."""

from __future__ import annotations

import os
import selectors
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.manager import DagFileInfo, DagFileProcessorManager, DagFileStat

from automations.db.queue import jobs
from automations.db.session import unit_of_work
from automations.db.workflows import workflows
from automations.errors import DatabaseUnavailable
from automations_airflow import processor_loop
from automations_airflow.processor_loop import Rest


def publish() -> None:
    with unit_of_work() as session:
        jobs.notify(session, workflows.PUBLISHED)


@pytest.fixture
def unending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor_loop, "IDLE_SLEEP", 600.0)


@pytest.mark.usefixtures("database", "unending")
def test_what_is_published_ends_a_rest() -> None:
    rest = Rest()
    rest.take()  # the first one only begins to listen
    ended = threading.Event()

    def go_on() -> None:
        rest.take()
        ended.set()

    threading.Thread(target=go_on, daemon=True).start()
    assert not ended.wait(0.2)
    publish()
    assert ended.wait(60)


@pytest.mark.usefixtures("database", "unending")
def test_what_was_published_since_the_last_rest_leaves_no_time_for_one() -> None:
    rest = Rest()
    rest.take()
    publish()
    rest.take()  # else it would last for ten minutes


def test_where_nothing_can_be_heard_there_is_no_rest_until_it_can_be_again() -> None:
    heard: list[str] = []

    class Subscription:
        def wait(self, seconds: float) -> None:
            heard.append("wait")
            raise DatabaseUnavailable

        def close(self) -> None:
            heard.append("close")

    def ear() -> Subscription:
        heard.append("listen")
        if len(heard) == 1:
            raise DatabaseUnavailable
        return Subscription()

    rest = Rest(ear)
    for _ in range(4):
        rest.take()
    assert heard == ["listen", "listen", "wait", "close", "listen"]


class Deaf:
    """Hears nothing, and waits for nothing."""

    def wait(self, seconds: float) -> None: ...

    def close(self) -> None: ...


def pack(number: int, folder: Path = Path("/nowhere")) -> DagFileInfo:
    return DagFileInfo(rel_path=Path(f"pack_{number}.py"), bundle_name="b", bundle_path=folder)


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> DagFileProcessorManager:
    # As it is afterwards, too.
    serve = DagFileProcessorManager._service_processor_sockets
    monkeypatch.setattr(DagFileProcessorManager, "_service_processor_sockets", serve)
    return DagFileProcessorManager(max_runs=1, selector=selectors.DefaultSelector())


def test_it_rests_only_with_nothing_to_parse(manager: DagFileProcessorManager) -> None:
    rests: list[float] = []

    class Subscription:
        def wait(self, seconds: float) -> None:
            rests.append(seconds)

        def close(self) -> None:
            raise AssertionError

    rest = Rest(Subscription)
    rest.take()
    processor_loop.take_over(rest)
    manager._service_processor_sockets(timeout=0.0)
    assert rests == [processor_loop.IDLE_SLEEP]
    manager._file_queue[pack(1)] = None
    manager._service_processor_sockets(timeout=0.0)
    assert rests == [processor_loop.IDLE_SLEEP]


def test_of_many_files_a_few_are_queued_and_those_with_something_else_to_do(
    manager: DagFileProcessorManager,
) -> None:
    files = [pack(number) for number in range(40)]
    manager._file_queue.update(dict.fromkeys(files))
    manager._callback_to_execute[files[30]] = []
    processor_loop.take_over(Rest(Deaf))
    manager._service_processor_sockets(timeout=0.0)
    assert list(manager._file_queue) == [*files[: processor_loop.MAX_QUEUED], files[30]]


def test_the_more_files_there_are_the_more_seldom_each_is_parsed_unchanged(
    manager: DagFileProcessorManager,
) -> None:
    processor_loop.take_over(Rest(Deaf))
    intervals = []
    for number in (1, 500):
        manager._file_stats = {pack(index): DagFileStat() for index in range(number)}
        manager._service_processor_sockets(timeout=0.0)
        intervals.append(manager._file_process_interval)
    assert intervals[1] == 500 * processor_loop.REPARSE_INTERVAL > intervals[0]


def queued(manager: DagFileProcessorManager, files: list[DagFileInfo]) -> list[DagFileInfo]:
    """What is to be parsed next of the files that there are."""
    manager._file_queue.clear()
    manager.prepare_file_queue(known_files={"b": set(files)})
    return sorted(manager._file_queue, key=lambda file: file.rel_path)


def test_each_of_many_files_that_are_asked_for_at_once_is_parsed(
    manager: DagFileProcessorManager, tmp_path: Path
) -> None:
    files = [pack(number, tmp_path) for number in range(10)]
    for file in files:
        file.absolute_path.touch()
        manager._file_stats[file] = DagFileStat(last_finish_time=datetime(2100, 1, 1, tzinfo=UTC))
    manager._file_process_interval = 600
    assert queued(manager, files) == []
    processor_loop.take_over(Rest(Deaf))
    manager._add_files_to_queue(files, mode="frontprio")
    manager._service_processor_sockets(timeout=0.0)
    first = list(manager._file_queue)
    assert queued(manager, files) == sorted({*files} - {*first}, key=lambda file: file.rel_path)


@pytest.mark.parametrize("changed", [True, False])
def test_a_file_that_is_changed_while_it_is_parsed_is_parsed_once_more(
    manager: DagFileProcessorManager, tmp_path: Path, changed: bool
) -> None:
    file, process = pack(1, tmp_path), object()
    file.absolute_path.touch()
    processor_loop.take_over(Rest(Deaf))
    running: dict[DagFileInfo, Any] = manager._processors
    running[file] = process
    manager._service_processor_sockets(timeout=0.0)
    if changed:
        os.utime(file.absolute_path, (1_000, 1_000))
    manager._service_processor_sockets(timeout=0.0)
    # It has taken longer than what the file is made newer by.
    del running[file]
    manager._file_stats[file] = DagFileStat(last_finish_time=datetime.now(UTC))
    manager._service_processor_sockets(timeout=0.0)
    assert queued(manager, [file]) == [file] * changed
    # Only once: the next one has seen it as it is.
    running[file] = object()
    manager._service_processor_sockets(timeout=0.0)
    del running[file]
    manager._file_stats[file] = DagFileStat(last_finish_time=datetime.now(UTC))
    manager._service_processor_sockets(timeout=0.0)
    assert queued(manager, [file]) == []
