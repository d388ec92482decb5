"""DagRuns of runs that express workers have begun, made by Airflow's own api-server."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.configuration import conf
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from sqlalchemy import Engine, select
from starlette.testclient import TestClient

from automations.kit.ids import new_id
from automations_airflow import airflow_versions
from tests.airflow.definitions import condition, email, published
from tests.airflow.parsing import parse

BATCHES = "/automations/batches/runs"
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


pytestmark = pytest.mark.usefixtures("airflow")


def task(name: str, number: int = 0, state: str = "done", **more: Any) -> dict[str, Any]:
    started = START + timedelta(seconds=number)
    ended = started + timedelta(milliseconds=500)
    times = {"started_at": started.isoformat(), "ended_at": ended.isoformat()}
    return {"task_id": name, "step_type": "email", "state": state, **times, **more}


def before(*tasks: dict[str, Any], ended: str | None = None, **more: Any) -> dict[str, Any]:
    end = (START + timedelta(seconds=9)).isoformat() if ended else None
    times = {"began_at": START.isoformat(), "ended_at": end}
    return {"version": 1, "tasks": list(tasks), "ended": ended, **times, **more}


def make(server: TestClient, dag: str, *done: dict[str, Any]) -> list[tuple[str, str]]:
    """Make a run for each; returns their ids and what has become of them."""
    user = SimpleAuthManagerUser(username="bridge", role="ADMIN")
    headers = {"authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"}
    runs = [{"dag_id": dag, "run_id": new_id(), "conf": {}, "before": steps} for steps in done]
    answer = server.post(BATCHES, json={"runs": runs}, headers=headers)
    assert answer.status_code == 200, answer.text
    return [(one["run_id"], one["outcome"]) for one in answer.json()]


def made(server: TestClient, dag: str, done: dict[str, Any]) -> str:
    ((run, outcome),) = make(server, dag, done)
    assert outcome == "there"
    return run


@pytest.mark.parametrize("role", ["ADMIN", "OP"])
def test_nobody_but_the_bridge_says_what_was_done_before(
    server: TestClient, dag: str, role: str
) -> None:
    user = SimpleAuthManagerUser(username="mallory", role=role)
    headers = {"authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"}
    run = {"dag_id": dag, "run_id": new_id(), "conf": {}}
    of_nobody = {"name": "sales", "uri": "s3://sales", "extra": {}, "at": START.isoformat()}
    source = {**of_nobody, "dag_id": None, "task_id": None, "run_id": None}
    for more in ({"before": before(task("a"))}, {"source": source}):
        answer = server.post(BATCHES, json={"runs": [{**run, **more}]}, headers=headers)
        assert answer.status_code == 403, answer.text
    with create_session() as session:
        assert session.scalars(select(DagRun)).all() == []
    plain = server.post(BATCHES, json={"runs": [run]}, headers=headers)
    assert [one["outcome"] for one in plain.json()] == ["there"]


def dag_run(run: str, session: Any) -> DagRun:
    found = session.scalar(select(DagRun).where(DagRun.run_id == run))
    assert isinstance(found, DagRun)
    return found


def tasks(run: str) -> dict[str, TaskInstance]:
    with create_session() as session:
        rows = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run))
        return {row.task_id: row for row in rows}


def states(run: str) -> dict[str, str | None]:
    return {name: row.state for name, row in tasks(run).items()}


def schedule(run: str) -> str:
    """One look of Airflow's scheduler at a run; returns how the run stands."""
    runner = SchedulerJobRunner(job=Job())
    with create_session() as session:
        dag_run(run, session).state = DagRunState.RUNNING
        runner._schedule_dag_run(dag_run(run, session), session)
    with create_session() as session:
        return str(dag_run(run, session).state)


@pytest.fixture
def dag() -> str:
    return parse(published(email("a"), email("b", 1), email("c", 2)))


def test_a_run_that_has_ended_is_made_as_ended(server: TestClient, dag: str) -> None:
    run = made(server, dag, before(task("a"), task("b", 1), task("c", 2), ended="success"))
    with create_session() as session:
        row = dag_run(run, session)
        assert row.state == "success"
        assert row.start_date == row.run_after == START
        assert row.end_date == START + timedelta(seconds=9)
    assert states(run) == {"a": "success", "b": "success", "c": "success"}
    c = tasks(run)["c"]
    assert (c.start_date, c.duration, c.try_number) == (START + timedelta(seconds=2), 0.5, 1)


def test_a_run_that_goes_on_is_begun_by_the_scheduler_where_it_was_left(
    server: TestClient, dag: str
) -> None:
    run = made(server, dag, before(task("a"), task("b", 1)))
    with create_session() as session:
        assert dag_run(run, session).state == "queued"
    assert states(run) == {"a": "success", "b": "success", "c": None}
    assert schedule(run) == "running"
    assert states(run) == {"a": "success", "b": "success", "c": "scheduled"}


def test_what_was_begun_only_is_begun_by_the_scheduler(server: TestClient, dag: str) -> None:
    run = made(server, dag, before(task("a"), task("b", 1, "begun")))
    schedule(run)
    assert states(run) == {"a": "success", "b": "scheduled", "c": None}


def test_what_its_tasks_would_have_pushed_and_rendered_is_there(
    server: TestClient, dag: str
) -> None:
    done = task("a", summary={"messageId": "<1>"}, config={"to": "ada@b.example"})
    run = made(server, dag, before(done))
    with create_session() as session:
        found = session.scalars(select(XComModel).where(XComModel.run_id == run))
        xcoms = {xcom.key: XComModel.deserialize_value(xcom) for xcom in found}
        assert xcoms["return_value"] == {"messageId": "<1>"}
        assert xcoms["_link_RunLink"].endswith(f"&run={run}")
        row = session.scalar(select(TaskInstance).where(TaskInstance.run_id == run))
        fields = RenderedTaskInstanceFields.get_templated_fields(tasks(run)["a"])
        assert row is not None
        assert fields == {"config": {"to": "ada@b.example"}}


def test_its_log_is_where_airflow_looks_for_it(server: TestClient, dag: str) -> None:
    lines = [[START.isoformat(), "info", "automations.step", "Step 'a' is done."]]
    run = made(server, dag, before(task("a", lines=lines)))
    folder = Path(conf.get("logging", "base_log_folder"))
    (file,) = folder.glob(f"dag_id={dag}/run_id={run}/task_id=a/attempt=1.log")
    (line,) = file.read_text().splitlines()
    assert json.loads(line) == {
        "timestamp": START.isoformat(),
        "level": "info",
        "event": "Step 'a' is done.",
        "logger": "automations.step",
        "workflowId": dag.removeprefix("automation_"),
        "runId": run,
        "stepId": "a",
    }


def test_what_a_branch_left_out_is_skipped_and_stays_so_when_it_is_cleared(
    server: TestClient,
) -> None:
    branch = condition("choose", 1, then=[email("yes")], else_=[email("no")])
    dag = parse(published(email("a"), branch, email("end", 2)))
    choice = task("choose", 1, step_type="condition", targets=["yes"])
    left_out = task("no", 1, "left_out")
    run = made(server, dag, before(task("a"), choice, left_out, task("yes", 2)))
    schedule(run)
    assert states(run)["no"] == "skipped"
    assert states(run)["end"] == "scheduled"
    with create_session() as session:
        row = select(TaskInstance).where(TaskInstance.run_id == run, TaskInstance.task_id == "no")
        clear_task_instances(list(session.scalars(row)), session)
    schedule(run)
    schedule(run)
    assert states(run)["no"] == "skipped"


def test_a_run_that_was_cancelled_has_failed_and_nothing_of_it_is_begun(
    server: TestClient, dag: str
) -> None:
    run = made(server, dag, before(task("a"), ended="failed"))
    with create_session() as session:
        assert dag_run(run, session).state == "failed"
    assert states(run) == {"a": "success", "b": "skipped", "c": "skipped"}


def test_a_run_that_is_there_is_left_as_it_is(server: TestClient, dag: str) -> None:
    user = SimpleAuthManagerUser(username="bridge", role="ADMIN")
    headers = {"authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"}
    run = made(server, dag, before(task("a")))
    again = {"dag_id": dag, "run_id": run, "conf": {}, "before": before(task("a"), task("b"))}
    answer = server.post(BATCHES, json={"runs": [again]}, headers=headers)
    assert answer.json()[0]["outcome"] == "there"
    assert states(run)["b"] is None


def test_many_are_made_together_and_each_as_it_stands(server: TestClient, dag: str) -> None:
    found = make(server, dag, *(before(task("a")) for _ in range(5)))
    assert [outcome for _, outcome in found] == ["there"] * 5
    for run, _ in found:
        assert states(run) == {"a": "success", "b": None, "c": None}


class Edited:
    """An automation whose second version is the newest one that Airflow has parsed."""

    def __init__(self) -> None:
        first = published(email("a"), email("b", 1))
        self.dag = parse(first)
        self._first = first

    def edit(self) -> None:
        second = published(email("a"), email("new", 1))
        parse(
            type(second)(
                self._first.workflow_id,
                1,
                2,
                2,
                second.status,
                second.definition,
            )
        )


def test_a_run_goes_on_by_the_version_by_which_it_was_begun(server: TestClient) -> None:
    edited = Edited()
    # Airflow keeps the first version when there are runs of it.
    made(server, edited.dag, before(task("a")))
    edited.edit()
    run = made(server, edited.dag, before(task("a"), exact=True))
    assert states(run) == {"a": "success", "b": None}


def test_one_that_cannot_be_made_has_the_others_made_as_they_stand(
    server: TestClient, airflow_database: Engine
) -> None:
    edited = Edited()
    made(server, edited.dag, before(task("a")))
    edited.edit()
    alter = "ALTER TABLE dag_run {} CONSTRAINT refused"
    with airflow_database.begin() as connection:
        check = alter.format("ADD") + " CHECK (end_date IS NULL) NOT VALID"
        connection.exec_driver_sql(check)
    try:
        ended = before(task("a"), task("b", 1), ended="success")
        found = make(server, edited.dag, before(task("a"), exact=True), ended)
    finally:
        with airflow_database.begin() as connection:
            connection.exec_driver_sql(alter.format("DROP"))
    (first, outcome), _ = found
    assert outcome == "there"
    assert states(first) == {"a": "success", "b": None}


def test_a_run_that_needs_its_own_version_is_never_made_of_another(
    server: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = Edited()
    made(server, edited.dag, before(task("a")))
    edited.edit()
    monkeypatch.setattr(airflow_versions, "is_tested", lambda: False)
    ((run, outcome),) = make(server, edited.dag, before(task("a"), exact=True))
    assert outcome == "refused"
    assert states(run) == {}


def test_a_run_whose_version_airflow_has_never_kept_is_said_to_be_gone(
    server: TestClient,
) -> None:
    edited = Edited()
    edited.edit()
    ((run, outcome),) = make(server, edited.dag, before(task("a"), exact=True))
    assert outcome == "gone"
    assert states(run) == {}
    ((run, outcome),) = make(server, edited.dag, before(task("a")))
    assert outcome == "there"
    assert states(run) == {"a": "success", "new": None}


def test_one_that_has_ended_is_shown_in_the_newest_structure_where_its_own_is_gone(
    server: TestClient,
) -> None:
    edited = Edited()
    edited.edit()
    run = made(server, edited.dag, before(task("a"), task("b", 1), ended="success"))
    assert states(run) == {"a": "success", "new": "skipped"}
