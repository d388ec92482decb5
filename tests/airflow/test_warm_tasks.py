"""Tasks that the executor's worker does itself, with both databases."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.configuration import conf
from airflow.executors.workloads.base import BundleInfo
from airflow.listeners import hookimpl
from airflow.sdk.listener import get_listener_manager
from airflow.utils.session import create_session
from sqlalchemy import Engine, select

from automations import wiring
from automations.db.session import unit_of_work
from automations.db.tables import Run, WorkflowVersion
from automations.definitions.published import Published, dag_id
from automations_airflow.executors import taken_tasks, warm_tasks
from automations_airflow.executors.taken_tasks import TaskClaim
from automations_airflow.executors.workers import SETTLED, WorkerSpent
from automations_airflow.tasks.retries import DEATHS, AttemptFailed, reported_failure
from tests.airflow.airflow_runs import AirflowRun
from tests.db.runs import begin, logs, reload, row, step, task
from tests.environment import Environment
from tests.free_ports import free_ports
from tests.servers.answering import Answering
from tests.waiting import until


@pytest.fixture(autouse=True)
def both(database: str, airflow_database: Engine, environment: Environment) -> Iterator[None]:
    environment.set(AUTOMATIONS_RUN_AHEAD_SECONDS="60", AUTOMATIONS_HTTP_ALLOW="127.0.0.1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own
        yield


def light(name: str, order: int = 0, **config: Any) -> dict[str, Any]:
    return step(name, "condition", order, {"expression": "true", **config})


def published(run: Run) -> Published:
    with unit_of_work() as session:
        query = select(WorkflowVersion.revision).where(
            WorkflowVersion.workflow_id == run.workflow_id
        )
        revision = session.scalars(query).one()
    found = wiring.publications().at(run.workflow_id, revision)
    assert found is not None
    return found


@dataclass
class Worker:
    """A worker that was handed the first task of a run, and what it has left to be done as ever."""

    run: Run
    airflow: AirflowRun = field(init=False)
    left: list[str] = field(default_factory=list)
    failures: list[AttemptFailed | None] = field(default_factory=list)
    """What its process is told of each that is left."""

    def __post_init__(self) -> None:
        self.airflow = AirflowRun(published(self.run), self.run.id)
        self.queue("a")

    def queue(self, node: str) -> None:
        with create_session() as session:
            found = self.airflow.task(node, session)
            found.state, found.try_number = "queued", 1

    def do(self, node: str = "a", **other: Any) -> None:
        ti = self.airflow.task(node)
        told: dict[str, Any] = {"try_number": ti.try_number, **other}
        handed = SimpleNamespace(
            id=ti.id, dag_id=ti.dag_id, run_id=ti.run_id, task_id=node, map_index=-1, **told
        )
        workload = SimpleNamespace(
            ti=handed,
            bundle_info=BundleInfo(name="b", version=str(published(self.run).revision)),
            display_name=node,
        )
        left = len(self.left)
        code = warm_tasks.carry_out(self._as_ever, workload, proctitle="worker")
        assert code == (SETTLED if len(self.left) == left else 0)

    def _as_ever(self, workload: Any, *, proctitle: str) -> int:
        self.left.append(self.airflow.states()[workload.ti.task_id] or "")
        self.failures.append(reported_failure())
        return 0

    def log(self, node: str) -> str:
        folder = Path(conf.get("logging", "base_log_folder"))
        at = folder / f"dag_id={dag_id(self.run.workflow_id)}" / f"run_id={self.run.id}"
        return (at / f"task_id={node}" / "attempt=1.log").read_text()


def test_a_worker_does_a_light_task_and_what_is_behind_it(database: str) -> None:
    run = begin(light("a"), light("b", 1), light("c", 2))
    worker = Worker(run)
    worker.do()
    assert worker.left == []
    assert worker.airflow.states() == {"a": "success", "b": "success", "c": "success"}
    assert reload(run).status == "COMPLETED"
    worker.airflow.schedule()
    assert worker.airflow.state == "success"


def test_airflow_knows_of_it_what_it_knows_of_every_task(database: str) -> None:
    worker = Worker(begin(light("a"), light("b", 1)))
    worker.do()
    done = worker.airflow.task("a")
    assert (done.try_number, done.pid) == (1, os.getpid())
    assert done.scheduled_dttm
    assert done.start_date
    assert done.end_date
    assert done.scheduled_dttm <= done.start_date <= done.end_date
    assert worker.airflow.xcoms("a")["return_value"]["result"] is True
    assert "expression" in worker.log("a")
    assert "expression" in worker.log("b")


def test_what_a_branch_leaves_out_is_skipped(database: str) -> None:
    arms: dict[str, Any] = {"then": [light("x")], "else": [light("y")]}
    worker = Worker(begin(light("a", **arms), light("b", 1)))
    worker.do()
    assert worker.left == []
    states = {"a": "success", "x": "success", "y": "skipped", "b": "success"}
    assert worker.airflow.states() == states
    assert worker.airflow.xcoms("a")["skipmixin_key"] == {"skipped": ["y"]}


def test_what_waits_is_left_to_its_own_task(database: str) -> None:
    worker = Worker(begin(light("a"), step("b", "delay", 1, {"duration": "PT1H"})))
    worker.do()
    assert worker.left == []
    assert worker.airflow.states() == {"a": "success", "b": None}
    worker.queue("b")
    worker.do("b")
    assert worker.left == ["queued"]


def test_a_step_that_fails_goes_back_into_the_queue_and_is_not_done_again(database: str) -> None:
    run = begin(step("a", "condition", 0, {"expression": "nothing.here"}))
    worker = Worker(run)
    worker.do()
    assert (worker.left, worker.failures) == (["queued"], [None])
    assert reload(run).status == "FAILED"
    assert "nothing" in worker.log("a")


def test_a_step_that_is_to_be_tried_again_fails_its_try_though_the_delay_may_be_over(
    database: str,
) -> None:
    nobody = {"url": f"http://127.0.0.1:{free_ports(1)[0]}/", "method": "GET"}
    retry = {"maxAttempts": 3, "delay": "PT1S"}
    worker = Worker(begin(step("a", "http_request", 0, nobody, retry=retry)))
    worker.do()
    assert worker.left == ["queued"]
    (failed,) = worker.failures
    assert failed is not None
    assert failed.delay.total_seconds() == 1
    assert reported_failure() is None
    found = row(worker.run, "a")
    assert found is not None
    assert len(logs(worker.run)) == 1
    assert "cannot be reached" in worker.log("a")


def test_a_second_try_is_left_to_a_process_of_its_own(database: str) -> None:
    worker = Worker(begin(light("a")))
    worker.do(try_number=2)
    assert worker.left == ["queued"]


def test_a_task_whose_process_was_killed_is_left_to_a_process_of_its_own(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DEATHS, "1")
    worker = Worker(begin(light("a")))
    worker.do()
    assert worker.left == ["queued"]


def test_it_is_off_where_nothing_runs_ahead(database: str, environment: Environment) -> None:
    environment.set(AUTOMATIONS_RUN_AHEAD_SECONDS="0")
    worker = Worker(begin(light("a")))
    worker.do()
    assert worker.left == ["queued"]


class Listener:
    """One of a plugin of others."""

    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
        """Hear of it."""


def test_what_others_listen_to_is_left_to_a_process_in_which_they_hear_of_it(
    database: str,
) -> None:
    listener, plugins = Listener(), get_listener_manager().pm
    plugins.register(listener)
    try:
        worker = Worker(begin(light("a")))
        worker.do()
        assert worker.left == ["queued"]
    finally:
        plugins.unregister(listener)


def test_a_secret_that_airflow_may_keep_is_left_to_a_process_that_can_read_it(
    database: str,
) -> None:
    worker = Worker(begin(light("a"), light("b", 1, expression="'{{secret.KEPT}}' == 'x'")))
    worker.do()
    assert worker.left == ["queued"]


def test_a_run_that_airflow_has_made_itself_is_left_to_a_process_of_its_own(
    database: str,
) -> None:
    run = begin(light("a"))
    worker = Worker(run)
    with unit_of_work() as session:
        session.delete(session.get_one(Run, run.id))
    worker.do()
    assert worker.left == ["queued"]


@pytest.mark.parametrize("state", ["failed", "success", "restarting", None])
def test_a_task_that_is_no_longer_queued_is_not_begun(database: str, state: str | None) -> None:
    run = begin(light("a"))
    worker = Worker(run)
    worker.airflow.put("a", state)
    worker.do()
    assert worker.left == [state or ""]
    assert row(run, "a") is None


def test_a_run_that_was_cleared_is_left_to_a_process_of_its_own(database: str) -> None:
    run = begin(light("a"), light("b", 1))
    worker = Worker(run)
    worker.airflow.clear("b")
    worker.queue("a")
    worker.do()
    assert worker.left == ["queued"]
    assert row(run, "a") is None


def test_where_somebody_has_marked_what_is_behind_it_airflow_goes_on_by_itself(
    database: str,
) -> None:
    worker = Worker(begin(light("a"), light("b", 1)))
    worker.airflow.put("b", "failed")
    worker.do()
    assert worker.left == ["queued"]
    assert worker.airflow.states() == {"a": "queued", "b": "failed"}


def test_what_is_on_record_already_is_marked_and_not_done_again(database: str) -> None:
    run = begin(light("a"), light("b", 1))
    wiring.engine().run(task(run, "a"))
    worker = Worker(run)
    worker.do()
    assert worker.left == []
    assert worker.airflow.states() == {"a": "success", "b": None}
    assert len(logs(run)) == 1


def test_a_task_that_somebody_ends_in_airflow_is_broken_off(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_tasks, "OWNERSHIP_CHECK_INTERVAL", 0.01)
    service = Answering()
    service.answers({})
    service.let_go.clear()
    with service.listening():
        fetch = {"url": f"http://{service.address}/", "method": "GET"}
        run = begin(step("a", "http_request", 0, fetch), light("b", 1))
        worker = Worker(run)

        def end() -> None:
            until("the request", lambda: bool(service.seen))
            worker.airflow.put("a", "failed")

        ending = threading.Thread(target=end)
        ending.start()
        with pytest.raises(WorkerSpent):
            worker.do()
        ending.join()
    assert worker.left == []
    assert worker.airflow.states() == {"a": "failed", "b": None}
    assert logs(run) == []


def test_a_task_that_takes_long_is_held(database: str, airflow_database: Engine) -> None:
    worker = Worker(begin(light("a")))
    mine = TaskClaim(str(worker.airflow.task("a").id), "here", "ada", 7)
    assert taken_tasks.take(airflow_database, mine)
    assert not taken_tasks.take(airflow_database, mine), "once only"
    before = worker.airflow.task("a").last_heartbeat_at
    assert taken_tasks.hold(airflow_database, mine)
    after = worker.airflow.task("a").last_heartbeat_at
    assert before
    assert after
    assert before < after
    others = TaskClaim(mine.id, "elsewhere", "ada", 7)
    assert not taken_tasks.hold(airflow_database, others)
    assert not taken_tasks.requeue(airflow_database, others)
    assert taken_tasks.requeue(airflow_database, mine)
    assert worker.airflow.states() == {"a": "queued"}
