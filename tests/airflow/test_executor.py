"""The executor, with worker processes that are really killed."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from airflow.executors.workloads import ExecutorWorkload
from airflow.executors.workloads.base import BundleInfo
from airflow.executors.workloads.task import ExecuteTask, TaskInstanceDTO
from airflow.utils.state import TaskInstanceState

from automations_airflow.executors import executor as executors
from automations_airflow.executors.executor import PipeExecutor
from automations_airflow.executors.workers import NICENESS, SETTLED, WorkerSpent
from automations_airflow.tasks.retries import DEATHS
from tests.airflow.ended_tasks import end_by_airflow
from tests.waiting import until

SLEEPS = "sleeps"
RAISES = "raises"
KILLED = "killed"
CLEARED = "cleared"
QUICK = "quick"
SPENT = "spent"
MARKED = "marked"


def carry_out(workload: ExecuteTask) -> int:
    """Do as the name of the task says, in a worker and in a process of the task's own."""
    assert workload.log_path is not None
    folder = Path(workload.log_path)
    (folder / f"{workload.ti.task_id}.worker").write_text(str(os.getpid()))
    told = (folder / f"{workload.ti.task_id}.deaths").open("a")
    with told:
        told.write(os.environ[DEATHS])
    if workload.ti.task_id.startswith(KILLED):
        return -9
    if workload.ti.task_id.startswith(CLEARED):
        return end_by_airflow(workload)
    if workload.ti.task_id.startswith(MARKED):
        return SETTLED
    if workload.ti.task_id.startswith(SPENT):
        raise WorkerSpent
    if workload.ti.task_id.startswith(RAISES):
        raise ConnectionError("no server")
    if workload.ti.task_id.startswith(SLEEPS):
        task = os.fork()
        if task == 0:
            (folder / f"{workload.ti.task_id}.task").write_text(str(os.getpid()))
            time.sleep(600)
            os._exit(0)
        os.waitpid(task, 0)
    return 0


class Executor(PipeExecutor):
    """Ours, without a server to speak to."""

    @staticmethod
    def run_workload(workload: ExecutorWorkload, **_: Any) -> int:
        assert isinstance(workload, ExecuteTask)
        return carry_out(workload)


class Bench:
    """An executor, driven as the scheduler's loop drives it."""

    def __init__(self, folder: Path, parallelism: int) -> None:
        self.folder = folder
        self.executor = Executor(parallelism=parallelism)
        self.executor.start()
        self.events: list[tuple[Any, Any, Any]] = []

    def give(self, name: str, ti_id: uuid.UUID | None = None) -> ExecuteTask:
        workload = ExecuteTask(
            token="",
            dag_rel_path=Path("dag.py"),
            bundle_info=BundleInfo(name="b"),
            log_path=str(self.folder),
            ti=TaskInstanceDTO(
                id=ti_id or uuid.uuid4(),
                dag_version_id=uuid.uuid4(),
                task_id=name,
                dag_id="d",
                run_id="r",
                try_number=1,
                pool_slots=1,
                queue="default",
                priority_weight=1,
            ),
        )
        self.executor.queue_workload(workload, None)  # type: ignore[arg-type]
        return workload

    def loop(self) -> None:
        self.executor.heartbeat()
        for key, (state, info) in self.executor.get_event_buffer().items():
            self.events.append((key, state, info))

    def until(self, condition: Callable[[], Any], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.events, self.executor.running)
            self.loop()
            time.sleep(0.01)

    def has_ended(self, count: int) -> bool:
        return len(self.events) == count

    def ended(self, workload: ExecuteTask) -> list[Any]:
        return [state for key, state, _ in self.events if key == workload.key]

    def has_begun(self, name: str, of: str = "worker") -> bool:
        path = self.folder / f"{name}.{of}"
        return path.exists() and bool(path.read_text())

    def pid(self, name: str, of: str = "worker") -> int:
        self.until(lambda: self.has_begun(name, of))
        return int((self.folder / f"{name}.{of}").read_text())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, parallelism=3)
    yield bench
    bench.executor.terminate()


def kill(pid: int) -> None:
    """Kill, and wait until the process is dead, though nobody has asked how it ended."""
    os.kill(pid, signal.SIGKILL)
    wait_until_dead(pid)


def wait_until_dead(*pids: int) -> None:
    deadline = time.monotonic() + 60
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_many_workloads_are_done_by_few_workers(bench: Bench) -> None:
    given = [bench.give(f"{QUICK}{number}") for number in range(40)]
    bench.until(lambda: len(bench.events) == len(given))
    assert [bench.ended(workload) for workload in given] == [[TaskInstanceState.SUCCESS]] * 40
    assert len({bench.pid(workload.ti.task_id) for workload in given}) <= 3
    assert not bench.executor.running


def test_of_a_task_that_is_marked_already_the_scheduler_is_told_nothing(bench: Bench) -> None:
    bench.give(MARKED)
    bench.until(lambda: bench.has_begun(MARKED) and not bench.executor.running)
    bench.give(QUICK)
    bench.until(lambda: bench.has_ended(1))
    assert [key.task_id for key, _, _ in bench.events] == [QUICK]


def test_a_workload_that_raises_is_reported_with_its_error(bench: Bench) -> None:
    workload = bench.give(RAISES)
    bench.until(lambda: bench.events)
    assert bench.events == [(workload.key, TaskInstanceState.FAILED, "ConnectionError: no server")]


def test_no_more_run_at_once_than_are_allowed(bench: Bench) -> None:
    given = [bench.give(f"{SLEEPS}{number}") for number in range(5)]
    for workload in given[:3]:
        bench.pid(workload.ti.task_id)
    bench.loop()
    assert (len(bench.executor.running), len(bench.executor.queued_tasks)) == (3, 2)
    assert bench.executor.slots_available < 0


def test_work_goes_on_when_an_idle_worker_is_killed(bench: Bench) -> None:
    bench.give(f"{QUICK}0")
    bench.until(lambda: len(bench.events) == 1)
    kill(bench.pid(f"{QUICK}0"))
    given = [bench.give(f"{QUICK}{number}") for number in range(1, 6)]
    bench.until(lambda: len(bench.events) == 6)
    assert all(bench.ended(workload) == [TaskInstanceState.SUCCESS] for workload in given)


def test_what_a_killed_worker_had_begun_has_failed_at_once(bench: Bench) -> None:
    lost, other = bench.give(f"{SLEEPS}1"), bench.give(f"{SLEEPS}2")
    task = bench.pid(f"{SLEEPS}1", of="task")
    bench.pid(f"{SLEEPS}2")
    kill(bench.pid(f"{SLEEPS}1"))
    bench.until(lambda: bench.events)
    ((key, state, info),) = bench.events
    assert (key, state) == (lost.key, TaskInstanceState.FAILED)
    assert "-9" in info
    assert bench.executor.running == {other.key}
    # It would hold the step's lock, and report to nobody.
    wait_until_dead(task)


def test_what_a_killed_worker_had_not_begun_is_done_by_another(bench: Bench) -> None:
    bench.give(f"{QUICK}0")
    bench.until(lambda: len(bench.events) == 1)
    idle = bench.pid(f"{QUICK}0")
    os.kill(idle, signal.SIGSTOP)
    workload = bench.give(f"{QUICK}1")
    bench.loop()
    assert bench.executor.running == {workload.key}
    kill(idle)
    bench.until(lambda: len(bench.events) == 2)
    assert bench.ended(workload) == [TaskInstanceState.SUCCESS]
    assert bench.pid(f"{QUICK}1") != idle


def test_a_task_is_told_of_its_deaths_once_each(bench: Bench) -> None:
    for number in range(3):
        bench.give(KILLED)
        bench.until(partial(bench.has_ended, number + 1))
    bench.give(f"{SLEEPS}1")
    task = bench.pid(f"{SLEEPS}1", of="task")
    kill(bench.pid(f"{SLEEPS}1"))
    wait_until_dead(task)
    bench.until(lambda: len(bench.events) == 4)
    bench.give(QUICK)
    bench.give(f"{SLEEPS}1")
    bench.until(lambda: len((bench.folder / f"{SLEEPS}1.deaths").read_text()) == 2)
    told = {name: (bench.folder / f"{name}.deaths").read_text() for name in (KILLED, f"{SLEEPS}1")}
    # The first of each has no predecessor.
    assert told == {KILLED: "011", f"{SLEEPS}1": "01"}


def test_a_task_that_airflow_itself_has_ended_has_not_died(bench: Bench) -> None:
    for number in range(2):
        bench.give(CLEARED)
        bench.until(partial(bench.has_ended, number + 1))
    assert (bench.folder / f"{CLEARED}.deaths").read_text() == "00"


def test_a_worker_that_was_broken_off_ends_with_its_work_which_has_not_died(bench: Bench) -> None:
    workload = bench.give(SPENT)
    bench.until(partial(bench.has_ended, 1))
    assert bench.ended(workload) == [TaskInstanceState.SUCCESS]
    bench.give(SPENT)
    bench.until(partial(bench.has_ended, 2))
    assert (bench.folder / f"{SPENT}.deaths").read_text() == "00"
    worker = bench.pid(SPENT)
    bench.until(lambda: not is_alive(worker))


def test_a_worker_that_does_not_take_its_work_is_replaced(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.give(f"{QUICK}0")
    bench.until(lambda: len(bench.events) == 1)
    frozen = bench.pid(f"{QUICK}0")
    os.kill(frozen, signal.SIGSTOP)
    workload = bench.give(f"{QUICK}1")
    bench.loop()
    monkeypatch.setattr(executors, "TAKE_TIMEOUT", 0.0)
    bench.loop()
    monkeypatch.undo()
    bench.until(lambda: len(bench.events) == 2)
    assert bench.ended(workload) == [TaskInstanceState.SUCCESS]
    wait_until_dead(frozen)


def test_a_second_leg_of_a_task_is_known_while_the_first_ends(bench: Bench) -> None:
    first = bench.give(QUICK)
    bench.executor.heartbeat()
    # With no look of the executor's in between, which might hear of its end already.
    until("it to be begun", lambda: bench.has_begun(QUICK))
    pid = bench.pid(QUICK)
    # The task has parked and was woken before its first leg's end is reported.
    second = bench.give(QUICK, first.ti.id)
    assert second.key == first.key
    bench.until(lambda: len(bench.ended(first)) == 1)
    assert bench.executor.has_task(second.ti)
    assert is_alive(pid)
    bench.until(lambda: not bench.executor.has_task(second.ti))
    assert bench.ended(first) == [TaskInstanceState.SUCCESS] * 2


def test_a_task_that_the_scheduler_gives_up_is_ended_with_its_processes(bench: Bench) -> None:
    workload = bench.give(SLEEPS)
    worker, task = bench.pid(SLEEPS), bench.pid(SLEEPS, of="task")
    bench.executor.change_state(workload.key, TaskInstanceState.FAILED)
    assert not bench.executor.has_task(workload.ti)
    bench.until(lambda: bench.events)
    assert bench.ended(workload) == [TaskInstanceState.FAILED]
    wait_until_dead(worker, task)


def test_a_revoked_task_is_forgotten_without_a_word(bench: Bench) -> None:
    held = bench.give(SLEEPS)
    task = bench.pid(SLEEPS, of="task")
    queued = bench.give(QUICK)
    bench.executor.revoke_task(ti=held.ti)
    bench.executor.revoke_task(ti=queued.ti)
    wait_until_dead(task)
    assert not bench.executor.has_task(held.ti)
    assert not bench.executor.has_task(queued.ti)
    assert bench.events == []


class Row:
    """Of a task instance, what an executor sees when it is asked to adopt it."""

    def __init__(self, ti_id: uuid.UUID) -> None:
        self.id = ti_id
        self.max_tries = 3


def test_what_it_has_in_hand_is_never_reset_and_the_rest_loses_no_try(bench: Bench) -> None:
    held = bench.give(SLEEPS)
    bench.pid(SLEEPS)
    queued = bench.give(QUICK)
    rows = [Row(held.ti.id), Row(queued.ti.id), Row(uuid.uuid4())]
    assert bench.executor.try_adopt_task_instances(rows) == rows[2:]
    assert [row.max_tries for row in rows] == [3, 3, 4]


def test_workers_leave_the_processor_to_the_scheduler(bench: Bench) -> None:
    bench.give(SLEEPS)
    for process in (bench.pid(SLEEPS), bench.pid(SLEEPS, of="task")):
        assert os.getpriority(os.PRIO_PROCESS, process) == min(
            19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS
        )


def test_at_the_end_running_tasks_get_a_moment_and_queued_ones_do_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "SHUTDOWN_TIMEOUT", 0.5)
    bench = Bench(tmp_path, parallelism=1)
    bench.give(SLEEPS)
    bench.give(QUICK)
    worker, task = bench.pid(SLEEPS), bench.pid(SLEEPS, of="task")
    bench.executor.end()
    assert not is_alive(worker)
    # What was cut off is not reported as failed: the next scheduler begins it anew.
    assert bench.executor.get_event_buffer() == {}
    assert not (tmp_path / f"{QUICK}.worker").exists()
    wait_until_dead(task)


def test_workers_end_with_a_killed_scheduler(tmp_path: Path) -> None:
    scheduler = os.fork()
    if scheduler == 0:
        child = Bench(tmp_path, parallelism=2)
        child.give(f"{QUICK}0")
        child.give(f"{QUICK}1")
        child.until(lambda: len(child.events) == 2)
        (tmp_path / "ready").touch()
        time.sleep(600)
        os._exit(0)
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    workers = [int((tmp_path / f"{QUICK}{n}.worker").read_text()) for n in (0, 1)]
    assert all(is_alive(pid) for pid in workers)
    os.kill(scheduler, signal.SIGKILL)
    os.waitpid(scheduler, 0)
    wait_until_dead(*workers)
