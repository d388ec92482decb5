"""What is of automations is taken from somebody's Airflow, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.utils.session import create_session
from sqlalchemy import Connection, Engine, text

from automations.definitions.published import dag_id
from automations.ports import OPERATOR_DAG
from automations_airflow import removal
from automations_airflow.removal import AirflowIsUp, remove_all
from automations_airflow.waits import parking
from tests.airflow.definitions import email, published, workflow_id
from tests.airflow.parsing import parse


def ids(connection: Connection, statement: str) -> list[Any]:
    return list(connection.scalars(text(statement)).all())


@pytest.fixture
def connection(airflow_database: Engine) -> Any:
    with airflow_database.connect() as connection:
        connection.execute(text("DELETE FROM job"))
        connection.execute(text("DELETE FROM dag_bundle"))  # of other tests
        parking.prepare(connection)
        parse(published(email("a")))
        # Another one of theirs, as like ours as it may be, in a bundle of its own.
        connection.execute(text("INSERT INTO dag_bundle (name) VALUES ('theirs')"))
        also(connection, '{"dag_id": "automation_of_theirs", "bundle_name": "theirs"}')
        yield connection
        connection.execute(text("DELETE FROM dag WHERE bundle_name = 'theirs'"))
        connection.execute(text("DELETE FROM dag_bundle WHERE name = 'theirs'"))


def also(connection: Connection, own: str) -> None:
    """A DAG as that which is there, but for these columns."""
    connection.execute(
        text("INSERT INTO dag SELECT (jsonb_populate_record(d, :own)).* FROM dag d LIMIT 1"),
        {"own": own},
    )


def running(connection: Connection, since: str) -> None:
    connection.execute(
        text(
            "INSERT INTO job (job_type, state, latest_heartbeat)"
            " VALUES ('SchedulerJob', 'running', now() - CAST(:since AS interval))"
        ),
        {"since": since},
    )


def begun(connection: Connection, beat: str) -> None:
    """Have a task of ours run, whose process was last heard of so long ago."""
    connection.execute(
        text(
            "INSERT INTO dag_run (dag_id, run_id, run_type, state, run_after)"
            " VALUES (:dag, 'r', 'manual', 'running', now())"
        ),
        {"dag": dag_id(workflow_id(0))},
    )
    connection.execute(
        text(
            "INSERT INTO task_instance (id, task_id, dag_id, run_id, map_index, try_number,"
            " pool, pool_slots, state, updated_at, last_heartbeat_at)"
            " VALUES (gen_random_uuid(), 't', :dag, 'r', -1, 1, 'default_pool', 1, 'running',"
            " now(), now() - CAST(:beat AS interval))"
        ),
        {"dag": dag_id(workflow_id(0)), "beat": beat},
    )


def test_our_dags_tables_and_bundle_are_gone_and_theirs_are_not(connection: Connection) -> None:
    running(connection, "1 hour")  # it was killed, and a task with it
    begun(connection, "1 hour")
    with create_session() as session:
        assert remove_all(session) == 1
    assert ids(connection, "SELECT dag_id FROM dag") == ["automation_of_theirs"]
    assert ids(connection, "SELECT name FROM dag_bundle WHERE name <> 'b'") == ["theirs"]
    for table in ("dag_version", "serialized_dag", "dag_code", "dag_tag"):
        ours = f"SELECT dag_id FROM {table} WHERE dag_id = '{dag_id(workflow_id(0))}'"
        assert ids(connection, ours) == []
    names = ", ".join(f"'{name}'" for name in removal.TABLES)
    assert ids(connection, f"SELECT tablename FROM pg_tables WHERE tablename IN ({names})") == []


def test_the_dag_that_runs_operators_goes_too(connection: Connection) -> None:
    also(connection, f'{{"dag_id": "{OPERATOR_DAG}"}}')
    with create_session() as session:
        assert remove_all(session) == 2
    assert ids(connection, "SELECT dag_id FROM dag") == ["automation_of_theirs"]


def test_nothing_is_taken_from_an_airflow_that_is_up(connection: Connection) -> None:
    running(connection, "5 seconds")
    with pytest.raises(AirflowIsUp, match="SchedulerJob"), create_session() as session:
        remove_all(session)
    assert len(ids(connection, "SELECT dag_id FROM dag")) == 2


def test_nothing_is_taken_while_a_worker_does_a_step(connection: Connection) -> None:
    begun(connection, "5 seconds")
    with pytest.raises(AirflowIsUp, match="worker"), create_session() as session:
        remove_all(session)
    assert len(ids(connection, "SELECT dag_id FROM dag")) == 2
