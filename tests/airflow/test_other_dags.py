"""DAGs that are no automations, as the bridge asks a real Airflow's server for them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.sdk import DAG, BaseOperator, Param
from airflow.sdk.serde import serialize
from airflow.utils.session import create_session
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from api_bridge.airflow.client import AirflowClient
from automations.db.session import unit_of_work
from automations.db.tables import Job, Run
from automations.dispatch.jobs.registry import Handlers
from automations.errors import NotVisibleYet, OrchestratorError
from automations.execution.engine import Engine
from automations.execution.verdicts import Proceed, Sleep
from automations.ports import DagStatus, NewDagRun
from automations.services.runs.cancellations import cancel
from automations.services.runs.dag_calls import CalledDags
from tests.airflow.parsing import written
from tests.db.runs import begin, row, step, task
from tests.db.workspace import principal
from tests.doubles import ports
from tests.environment import Environment

RUN = "automations__r1__0123456789abcdef"


@pytest.fixture
def etl(client: AirflowClient) -> str:
    """A DAG that somebody else has written."""
    with DAG("etl_daily", params={"day": Param("Monday", type="string")}) as dag:
        BaseOperator(task_id="load")
        BaseOperator(task_id="report")
    written(dag)
    noted(is_paused=False)
    return "etl_daily"


def noted(**values: bool) -> None:
    with create_session() as session:
        session.execute(update(DagModel).values(**values))


def test_how_a_dag_stands_is_seen(client: AirflowClient, etl: str) -> None:
    assert client.dag_status(etl) == DagStatus()
    noted(is_paused=True)
    assert client.dag_status(etl) == DagStatus(paused=True)
    noted(has_import_errors=True)
    assert client.dag_status(etl) == DagStatus(paused=True, broken=True)
    assert client.dag_status("nobodys") is None


def test_a_run_is_made_once_with_its_conf(client: AirflowClient, etl: str) -> None:
    for _ in range(2):
        client.trigger(NewDagRun(etl, RUN, {"day": "Friday"}, "Started by a step."))
    with create_session() as session:
        (made,) = session.scalars(select(DagRun)).all()
        assert (made.run_id, made.conf, made.note) == (
            RUN,
            {"day": "Friday"},
            "Started by a step.",
        )
    state = client.run_state(etl, RUN)
    assert state is not None
    assert state.state == "queued"


def test_a_conf_that_does_not_fit_the_dags_params_is_refused_in_words(
    client: AirflowClient, etl: str
) -> None:
    with pytest.raises(OrchestratorError, match="string") as refused:
        client.trigger(NewDagRun(etl, RUN, {"day": 5}))
    assert not isinstance(refused.value, NotVisibleYet)
    assert "day" in refused.value.message
    with create_session() as session:
        assert session.scalar(select(func.count()).select_from(DagRun)) == 0


def test_a_run_that_is_not_wanted_any_more_is_ended(client: AirflowClient, etl: str) -> None:
    client.trigger(NewDagRun(etl, RUN, {}))
    client.fail(etl, RUN)
    state = client.run_state(etl, RUN)
    assert state is not None
    assert state.state == "failed"
    assert client.failure(etl, RUN).marked_by == "bridge"


def test_what_its_tasks_have_returned_arrives_as_it_was(client: AirflowClient, etl: str) -> None:
    client.trigger(NewDagRun(etl, RUN, {}))
    returned = {"load": {"rows": [1, 2.5, None, True]}, "report": "123"}
    with create_session() as session:
        for task, value in returned.items():
            hand_over(session, "return_value", value, task, RUN)
            hand_over(session, "other", 1, task, RUN)
    assert client.return_values(etl, RUN, 1_000) == returned
    with pytest.raises(OrchestratorError, match="more than 10 bytes"):
        client.return_values(etl, RUN, 10)


@pytest.mark.parametrize(
    ("value", "given"),
    [
        ([(1, "a"), (2, None)], [[1, "a"], [2, None]]),
        ({"days": {date(2026, 3, 1)}}, {"days": ["2026-03-01"]}),
        ([Decimal("2.50"), Decimal(7)], [2.5, 7]),
        (datetime(2026, 3, 1, 12, 30, tzinfo=UTC), "2026-03-01T12:30:00+00:00"),
        (
            datetime(2026, 7, 1, 12, 30, tzinfo=ZoneInfo("Europe/Berlin")),
            "2026-07-01T12:30:00+02:00",
        ),
        (pendulum.datetime(2026, 7, 1, tz="Asia/Tokyo"), "2026-07-01T00:00:00+09:00"),
        (pendulum.datetime(2026, 7, 1, tz=1), "2026-07-01T00:00:00+01:00"),
        (datetime(2026, 3, 1, 12, 30), "2026-03-01T12:30:00"),
        (timedelta(hours=1), 3600.0),
        (DagStatus(paused=True), {"paused": True, "gone": False, "broken": False}),
        ({"timestamp": 1, "tz": None}, {"timestamp": 1, "tz": None}),
    ],
)
def test_what_json_has_no_kind_for_arrives_without_names_of_classes(
    client: AirflowClient, etl: str, value: object, given: object
) -> None:
    client.trigger(NewDagRun(etl, RUN, {}))
    with create_session() as session:
        hand_over(session, "return_value", serialize(value), "load", RUN)
    assert client.return_values(etl, RUN, 1_000) == {"load": given}


def hand_over(session: Session, key: str, value: object, task: str, run_id: str) -> None:
    """Leave an XCom as a task's process does."""
    XComModel.set(
        key=key,
        value=value,
        dag_id="etl_daily",
        task_id=task,
        run_id=run_id,
        serialize=False,
        session=session,
    )


@pytest.fixture
def engine(database: str, environment: Environment) -> Engine:
    """Ours, with a database of its own, in an installation that allows the DAG."""
    environment.set(AUTOMATIONS_DAG_ALLOW="etl_*")
    return Engine(ports(dags=CalledDags()))


def handle(client: AirflowClient) -> None:
    handlers = Handlers(client, ports())
    with unit_of_work() as session:
        todo = session.scalars(select(Job).where(Job.kind.in_(("call_dag", "end_dag_run")))).all()
    for job in todo:
        handlers.handle(job)


def calling() -> Run:
    config = {"dagId": "etl_daily", "input": {"day": "Friday"}, "waitForCompletion": True}
    return begin(step("call", "run_workflow", 0, config))


def only_run() -> DagRun:
    with create_session() as session:
        return session.scalars(select(DagRun)).one()


def test_a_step_runs_the_dag_and_puts_out_what_it_has_returned(
    client: AirflowClient, etl: str, engine: Engine
) -> None:
    run = calling()
    asleep = engine.run(task(run, "call"))
    assert isinstance(asleep, Sleep)
    handle(client)
    made = only_run()
    assert (made.dag_id, made.conf) == (etl, {"day": "Friday"})
    with create_session() as session:
        hand_over(session, "return_value", {"rows": 3}, "load", made.run_id)
        session.execute(update(DagRun).values(state="success"))
    handle(client)
    assert isinstance(engine.resume(task(run, "call"), asleep.wait_id, None), Proceed)
    done = row(run, "call")
    assert done is not None
    assert (done.output or {})["outputs"] == {"load": {"rows": 3}}


def test_the_dag_run_of_a_cancelled_run_is_ended_in_airflow(
    client: AirflowClient, etl: str, engine: Engine
) -> None:
    run = calling()
    engine.run(task(run, "call"))
    handle(client)
    assert only_run().state == "queued"
    cancel(principal(run.workspace_id, name="ada"), run.workflow_id, run.id)
    handle(client)
    assert only_run().state == "failed"
