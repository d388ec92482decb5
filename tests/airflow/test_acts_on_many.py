"""What is done to several runs at once in Airflow's UI, as the bridge is told of it."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from getpass import getuser
from typing import Any

import pytest
import requests
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models import Log
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG, BaseOperator
from airflow.utils.cli import action_cli
from airflow.utils.session import create_session
from sqlalchemy import delete, select, update

from api_bridge.airflow.audit_log import OF_MANY
from api_bridge.airflow.client import AirflowClient
from automations.ports import ActionKind, DagRunFailure, NewDagRun, UserAction
from automations_airflow.server.acts_on_many import EVENTS
from tests.airflow.definitions import email, published
from tests.airflow.parsing import parse, written

ROUTE = "/automations/acts/all"
DAG_ID = "etl_of_many"


def asked(address: str, name: str, method: str, path: str, body: Any = None) -> requests.Response:
    user = SimpleAuthManagerUser(username=name, role="ADMIN" if name == "bridge" else "USER")
    token = {"Authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"}
    return requests.request(method, f"{address}{path}", json=body, headers=token, timeout=60)


@pytest.fixture
def runs(client: AirflowClient) -> list[dict[str, str]]:
    """Two runs, as Airflow's UI names them."""
    with DAG(DAG_ID) as dag:
        BaseOperator(task_id="load")
    written(dag)
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=False))
        session.execute(delete(Log))
    for run in ("r1", "r2"):
        client.trigger(NewDagRun(DAG_ID, run, {}))
    return [{"dag_id": DAG_ID, "dag_run_id": run} for run in ("r1", "r2")]


def acts(client: AirflowClient) -> list[UserAction]:
    now = datetime.now(UTC)
    return client.user_actions(now - timedelta(hours=1), now + timedelta(hours=1), 0, 100)[0]


def test_who_has_marked_several_runs_and_cleared_them_is_known(
    client: AirflowClient, airflow_url: str, runs: list[dict[str, str]]
) -> None:
    entities = [{**run, "state": "failed", "note": "no budget"} for run in runs]
    actions = {"actions": [{"action": "update", "entities": entities}]}
    marked = asked(airflow_url, "ulla", "PATCH", "/api/v2/dags/~/dagRuns", actions)
    assert marked.ok, marked.text
    told = [(act.by, act.kind, act.run_id, act.state, act.note) for act in acts(client)]
    assert told == [("ulla", ActionKind.MARK, run, "failed", "no budget") for run in ("r1", "r2")]
    failure = client.failure(DAG_ID, "r1")
    assert (failure.marked_by, failure.note) == ("ulla", "no budget")
    clear = {"dag_runs": runs, "dry_run": True}
    shown = asked(airflow_url, "ulla", "POST", "/api/v2/dags/~/clearDagRuns", clear)
    assert shown.ok, shown.text
    assert len(acts(client)) == 2
    cleared = asked(
        airflow_url, "ulla", "POST", "/api/v2/dags/~/clearDagRuns", {**clear, "dry_run": False}
    )
    assert cleared.ok, cleared.text
    clears = [act for act in acts(client) if act.kind == ActionKind.CLEAR]
    assert [(act.by, act.run_id) for act in clears] == [("ulla", "r1"), ("ulla", "r2")]
    # It does not fail any more by what was marked before.
    assert client.failure(DAG_ID, "r1").marked_by is None


@pytest.fixture
def automation(client: AirflowClient) -> str:
    """The DAG of an automation, with two runs that have a task ``a``."""
    dag = parse(published(email("a"), email("b", 1)))
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=False))
        session.execute(delete(Log))
    for run in ("r1", "r2"):
        client.trigger(NewDagRun(dag, run, {}))
    return dag


def test_who_has_marked_several_tasks_or_deleted_some_is_known(
    client: AirflowClient, airflow_url: str, automation: str
) -> None:
    """Airflow itself logs neither."""
    every = "/api/v2/dags/~/dagRuns/~/taskInstances"
    named = [{"dag_id": automation, "dag_run_id": run, "task_id": "a"} for run in ("r1", "r2")]
    entities = [{**task, "new_state": "failed", "note": "no budget"} for task in named]
    body = {"actions": [{"action": "update", "entities": entities}]}
    assert asked(airflow_url, "ulla", "PATCH", every, body).ok
    told = [(act.by, act.kind, act.run_id, act.tasks, act.note) for act in acts(client)]
    assert told == [("ulla", ActionKind.MARK, run, ("a",), "no budget") for run in ("r1", "r2")]
    assert client.failure(automation, "r2").marked_by == "ulla"
    one = f"/api/v2/dags/{automation}/dagRuns/r1/taskInstances"
    assert asked(airflow_url, "ulla", "DELETE", f"{one}/b").ok
    body = {"actions": [{"action": "delete", "entities": ["a"]}]}
    assert asked(airflow_url, "ulla", "PATCH", one, body).ok
    deleted = [act for act in acts(client) if act.kind == ActionKind.DELETE]
    assert [(act.by, act.run_id, act.tasks) for act in deleted] == [
        ("ulla", "r1", ("b",)),
        ("ulla", "r1", ("a",)),
    ]


def test_who_has_paused_several_automations_at_once_is_known_of_each(
    client: AirflowClient, airflow_url: str, automation: str
) -> None:
    """Airflow itself logs the pattern by which they were found."""
    by_pattern = "/api/v2/dags?dag_id_pattern=automation_c&update_mask=is_paused"
    for paused in (True, True, False):
        assert asked(airflow_url, "ulla", "PATCH", by_pattern, {"is_paused": paused}).ok
    told = [(act.by, act.kind, act.dag_id) for act in acts(client)]
    kinds = (ActionKind.PAUSE, ActionKind.UNPAUSE)
    assert told == [("ulla", kind, automation) for kind in kinds]
    assert client.paused_by(automation) is not None
    missing = "/api/v2/dags?dag_id_pattern=automation_c&update_mask=owners"
    assert not asked(airflow_url, "ulla", "PATCH", missing, {"is_paused": True}).ok
    assert len(acts(client)) == 2


def test_who_has_paused_one_by_airflows_command_line_is_known(
    client: AirflowClient, automation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Airflow itself notes it."""

    @action_cli(check_db=False)  # type: ignore[untyped-decorator]  # Airflow's has no types
    def dag_pause(args: Namespace) -> None:
        """Airflow's own, of which only what it notes matters here."""

    command = ["airflow", "dags", "pause", automation]
    monkeypatch.setattr("sys.argv", command)
    by = getuser()
    dag_pause(Namespace(dag_id=automation))
    (act,) = acts(client)
    assert (act.by, act.kind, act.dag_id) == (by, ActionKind.PAUSE, automation)
    assert act.more == {"command": " ".join(command)}
    assert (client.paused_by(automation) or ("nobody",))[0] == by


def test_of_others_dags_no_more_is_logged_than_airflow_logs(
    client: AirflowClient, airflow_url: str, runs: list[dict[str, str]]
) -> None:
    body = {"actions": [{"action": "delete", "entities": ["load"]}]}
    one = f"/api/v2/dags/{DAG_ID}/dagRuns/r1/taskInstances"
    assert asked(airflow_url, "ulla", "PATCH", one, body).ok
    assert acts(client) == []


@pytest.mark.parametrize(
    ("reach", "reached"),
    [("past", ["r1"]), ("future", ["r3"]), (None, [])],
)
def test_who_has_marked_a_task_with_those_of_earlier_or_later_runs_is_known_for_each(
    client: AirflowClient, airflow_url: str, automation: str, reach: str | None, reached: list[str]
) -> None:
    days = {"r1": 1, "r2": 2, "r3": 3}
    with create_session() as session:
        session.execute(delete(DagRun))
    for run, day in days.items():
        body = {"dag_run_id": run, "logical_date": f"2026-03-0{day}T00:00:00Z", "conf": {}}
        runs = f"/api/v2/dags/{automation}/dagRuns"
        assert asked(airflow_url, "ulla", "POST", runs, body).ok
    path = f"{runs}/r2/taskInstances/a"
    mark = {"new_state": "failed", **({f"include_{reach}": True} if reach else {})}
    assert asked(airflow_url, "vera", "PATCH", path, mark).ok
    found = {run: client.failure(automation, run).marked_by for run in days}
    assert found == {run: "vera" if run in ("r2", *reached) else None for run in days}
    failed = {run for run in days if client.task_state(automation, run, "a") == "failed"}
    assert failed == {"r2", *reached}
    past, future = reach == "past", reach == "future"
    assert client.runs_beside(automation, "r2", past=past, future=future) == reached


def test_who_has_paused_and_cancelled_a_backfill_is_known_and_that_its_runs_failed_by_that(
    client: AirflowClient, airflow_url: str
) -> None:
    schedule = {"type": "schedule", "cron": "0 9 * * *"}
    one = replace(published(email("a"), trigger=schedule), scheduled_since="2026-03-01T00:00:00Z")
    dag = parse(one)
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=False))
        session.execute(delete(Log))
    span = {"from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-02T23:00:00Z"}
    made = asked(airflow_url, "ulla", "POST", "/api/v2/backfills", {"dag_id": dag, **span})
    assert made.ok, made.text
    backfill = f"/api/v2/backfills/{made.json()['id']}"
    for verb in ("pause", "unpause", "cancel"):
        assert asked(airflow_url, "vera", "PUT", f"{backfill}/{verb}").ok
    told = [(act.by, act.kind, act.dag_id, act.more["from"][:10]) for act in acts(client)]
    assert told == [
        ("ulla", ActionKind.BACKFILL, dag, "2026-01-01"),
        ("vera", ActionKind.PAUSE_BACKFILL, dag, "2026-01-01"),
        ("vera", ActionKind.UNPAUSE_BACKFILL, dag, "2026-01-01"),
        ("vera", ActionKind.CANCEL_BACKFILL, dag, "2026-01-01"),
    ]
    with create_session() as session:
        runs = list(session.scalars(select(DagRun.run_id).where(DagRun.dag_id == dag)))
    assert len(runs) == 2
    for run in runs:
        assert client.failure(dag, run).backfill_cancelled_by == "vera"


def test_they_are_told_to_the_bridge_alone(
    client: AirflowClient, airflow_url: str, runs: list[dict[str, str]]
) -> None:
    assert asked(airflow_url, "bridge", "GET", ROUTE).json() == []
    assert asked(airflow_url, "ulla", "GET", ROUTE).status_code == 403
    assert requests.get(f"{airflow_url}{ROUTE}", timeout=60).status_code == 401
    client.http.token = asked_token("ulla")
    assert client.failure(DAG_ID, "r1") == DagRunFailure()


def asked_token(name: str) -> str:
    return str(get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role="VIEWER")))


def test_both_sides_mean_the_same() -> None:
    assert set(EVENTS) == set(OF_MANY)
