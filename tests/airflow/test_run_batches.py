"""Many DagRuns by one request, in Airflow's own api-server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from automations_airflow.server import run_batches
from tests.airflow.definitions import email, published
from tests.airflow.parsing import parse

BATCHES = "/automations/batches/runs"


pytestmark = pytest.mark.usefixtures("airflow")


def headers(role: str = "ADMIN", name: str = "bridge") -> dict[str, str]:
    user = SimpleAuthManagerUser(username=name, role=role)
    return {"authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"}


def made(server: TestClient, *runs: tuple[str, str, Any]) -> list[tuple[str, str | None]]:
    wanted = [{"dag_id": dag, "run_id": run, "conf": conf} for dag, run, conf in runs]
    answer = server.post(BATCHES, json={"runs": wanted}, headers=headers())
    assert answer.status_code == 200, answer.text
    return [(one["outcome"], one["reason"]) for one in answer.json()]


def count(*conditions: Any) -> int:
    with create_session() as session:
        return session.scalar(select(func.count()).where(*conditions)) or 0


@pytest.fixture
def dag() -> str:
    return parse(published(email("a"), email("b", 1)))


@pytest.mark.parametrize("names", [("alone",), ("together", "other")])
def test_a_run_of_a_batch_is_what_the_public_route_makes(
    server: TestClient, dag: str, names: tuple[str, ...]
) -> None:
    now = datetime.now(UTC).isoformat()
    body = {"dag_run_id": "public", "logical_date": now, "conf": {"x": 1}}
    answer = server.post(f"/api/v2/dags/{dag}/dagRuns", json=body, headers=headers())
    assert answer.status_code == 200, answer.text
    assert made(server, *((dag, name, {"x": 1}) for name in names)) == [("there", None)] * len(
        names
    )
    own = {"id", "run_id", "run_after", "queued_at", "created_at", "updated_at", "context_carrier"}
    own |= {"logical_date", "data_interval_start", "data_interval_end"}
    of_task = {"id", "run_id", "updated_at", "context_carrier"}
    with create_session() as session:
        runs = list(session.scalars(select(DagRun).order_by(DagRun.id)))
        assert [run.run_id for run in runs] == ["public", *names]
        assert len({columns(run, own) for run in runs}) == 1
        for name in names:
            assert tasks(session, name, of_task) == tasks(session, "public", of_task)
        logged = session.execute(select(Log.event, Log.owner, Log.dag_id, Log.run_id)).all()
    assert {tuple(row) for row in logged} >= {
        ("trigger_dag_run", "bridge", dag, run.run_id) for run in runs
    }
    assert count(Log.run_id == names[0]) == 1


def test_each_run_has_a_date_of_its_own_and_is_in_the_calendar(
    server: TestClient, dag: str
) -> None:
    for names in (["c"], ["a", "d"], ["b"], ["e"]):
        made(server, *((dag, name, {}) for name in names))
    shown = server.get(f"/ui/calendar/{dag}?granularity=daily", headers=headers()).json()
    assert sum(day["count"] for day in shown["dag_runs"]) == 5
    with create_session() as session:
        for run in session.scalars(select(DagRun)):
            assert run.logical_date is not None
            assert abs(run.logical_date - run.run_after) < timedelta(minutes=5)
            assert run.data_interval_start == run.data_interval_end == run.logical_date


def test_a_dag_whose_last_run_has_failed_is_counted_on_the_home_page(
    server: TestClient, dag: str
) -> None:
    made(server, (dag, "one", {}))
    with create_session() as session:
        session.execute(update(DagRun).values(state="failed"))
    counted = server.get("/ui/dashboard/dag_stats", headers=headers()).json()
    assert counted["failed_dag_count"] == 1


def columns(row: Any, own: set[str]) -> str:
    """All that a row has but for what is its own."""
    return str({c.key: getattr(row, c.key) for c in row.__table__.columns if c.key not in own})


def tasks(session: Session, run_id: str, own: set[str]) -> list[str]:
    of_run = select(TaskInstance).where(TaskInstance.run_id == run_id)
    found = sorted(columns(task, own) for task in session.scalars(of_run))
    assert len(found) == 2
    return found


@pytest.mark.parametrize("count_of_runs", [1, 2])
@pytest.mark.parametrize(("caller", "shown"), [("bridge", "ada@b.example"), ("eve", "eve")])
def test_a_run_is_shown_as_theirs_who_started_it_where_the_bridge_says_so(
    server: TestClient, dag: str, count_of_runs: int, caller: str, shown: str
) -> None:
    names = [f"{caller}{count_of_runs}of{number}" for number in range(count_of_runs)]
    wanted = [{"dag_id": dag, "run_id": n, "conf": {}, "by": "ada@b.example"} for n in names]
    answer = server.post(BATCHES, json={"runs": wanted}, headers=headers(name=caller))
    assert answer.status_code == 200, answer.text
    with create_session() as session:
        users = session.scalars(select(DagRun.triggering_user_name)).all()
    assert users == [shown] * len(names)
    # Who has asked Airflow for it is in the audit log as ever.
    assert count(Log.run_id.in_(names), Log.owner == caller) == len(names)


def test_of_two_that_make_the_same_run_one_does(server: TestClient, dag: str) -> None:
    """Also when neither saw the other one's: what is made together is then made one by one."""
    names = [f"r{number}" for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda _: made(server, *((dag, name, {}) for name in names)), range(8))
        assert all(batch == [("there", None)] * 20 for batch in found)
    assert count(DagRun.id > 0) == 20
    assert count(TaskInstance.task_id == "a") == 20


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("run_id <> 'two'", "refused"),
        ("run_id <> 'two' OR CAST(conf ->> 'pin' AS integer) > 0", "DataError"),
    ],
)
def test_a_run_that_the_database_refuses_is_not_said_to_be_there(
    server: TestClient, dag: str, airflow_database: Engine, check: str, said: str
) -> None:
    """As it refuses the run of a DAG that somebody deletes at the same time."""
    alter = "ALTER TABLE dag_run {} CONSTRAINT refused"
    with airflow_database.connect() as connection:
        connection.execute(text(f"{alter.format('ADD')} CHECK ({check})"))
        try:
            runs = ((dag, name, {"pin": "s3cret"}) for name in ("one", "two", "three"))
            found = made(server, *runs)
        finally:
            connection.execute(text(alter.format("DROP")))
    assert [outcome for outcome, _ in found] == ["there", "refused", "there"]
    assert said in str(found[1][1])
    assert "s3cret" not in str(found[1][1])
    assert count(DagRun.id > 0) == 2


def test_what_is_there_is_left_and_what_cannot_be_made_harms_no_other(
    server: TestClient, dag: str
) -> None:
    assert made(server, (dag, "one", {"x": 1})) == [("there", None)]
    found = made(
        server,
        (dag, "one", {"x": 2}),
        (dag, "two", {}),
        (dag, "not an id", {}),
        ("automation_of_nobody", "three", {}),
        (dag, "two", {}),
        (dag, "scheduled__2026", {}),
        (dag, "four", {}),
    )
    assert [outcome for outcome, _ in found] == [
        "there", "there", "refused", "unknown", "there", "refused", "there",
    ]  # fmt: skip
    assert "does not match regex pattern" in str(found[2][1])
    with create_session() as session:
        runs = {run.run_id: run.conf for run in session.scalars(select(DagRun))}
    assert runs == {"one": {"x": 1}, "two": {}, "four": {}}
    assert count(TaskInstance.run_id == "not an id") == 0
    assert count(Log.run_id == "two") == 1, "what was there is not logged as made"


def test_a_dag_that_is_broken_or_takes_no_manual_runs_is_refused(
    server: TestClient, dag: str
) -> None:
    with create_session() as session:
        session.execute(update(DagModel).values(has_import_errors=True))
    assert made(server, (dag, "one", {})) == [("refused", "The DAG has import errors.")]
    with create_session() as session:
        session.execute(update(DagModel).values(has_import_errors=False, is_stale=True))
    assert made(server, (dag, "one", {})) == [("unknown", None)]


def test_who_may_not_make_runs_makes_none(server: TestClient, dag: str) -> None:
    body = {"runs": [{"dag_id": dag, "run_id": "one", "conf": {}}]}
    assert server.post(BATCHES, json=body).status_code == 401
    assert server.post(BATCHES, json=body, headers=headers("VIEWER")).status_code == 403
    assert count(DagRun.run_id == "one") == 0


def test_too_many_at_once_are_refused(server: TestClient, dag: str) -> None:
    runs = [{"dag_id": dag, "run_id": f"r{n}", "conf": {}} for n in range(run_batches.MAX_RUNS + 1)]
    answer = server.post(BATCHES, json={"runs": runs}, headers=headers())
    assert answer.status_code == 422
    assert count(DagRun.id > 0) == 0


@pytest.mark.parametrize("names", [("alone",), ("together", "other")])
def test_a_run_of_a_batch_has_its_note(
    server: TestClient, dag: str, names: tuple[str, ...]
) -> None:
    wanted = [
        {"dag_id": dag, "run_id": name, "conf": {}, "note": f"Started by {name}."} for name in names
    ]
    answer = server.post(BATCHES, json={"runs": wanted}, headers=headers())
    assert [one["outcome"] for one in answer.json()] == ["there"] * len(names)
    with create_session() as session:
        dag_runs = session.scalars(select(DagRun).where(DagRun.run_id.in_(names)))
        assert {run.run_id: run.note for run in dag_runs} == {
            name: f"Started by {name}." for name in names
        }
