"""DAGs that somebody has deleted, as Airflow's own tables tell of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from airflow.api.common.delete_dag import delete_dag
from sqlalchemy import Connection, Engine, text

from automations.definitions.published import dag_id
from automations_airflow.scheduler.deletions import Deletions
from tests.airflow.definitions import workflow_id

FIRST, SECOND = workflow_id(1), workflow_id(2)


def logged(connection: Connection, dag: str, event: str = "delete_dag", owner: str = "ada") -> None:
    connection.execute(
        text("INSERT INTO log (dttm, dag_id, event, owner) VALUES (now(), :dag, :event, :owner)"),
        {"dag": dag, "event": event, "owner": owner},
    )


def known(connection: Connection, dag: str, since: str = "-1 minute") -> None:
    connection.execute(text("INSERT INTO dag_bundle (name) VALUES ('b') ON CONFLICT DO NOTHING"))
    required = (
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_name = 'dag' AND is_nullable = 'NO' AND column_default IS NULL"
    )
    blank = {"boolean": False, "integer": 1, "json": "{}", "jsonb": "{}"}
    values = {name: blank.get(kind, "b") for name, kind in connection.execute(text(required)).all()}
    values |= {"dag_id": dag, "bundle_name": "b"}
    names = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO dag ({names}) VALUES ({places})"), values)
    connection.execute(
        text(
            "INSERT INTO dag_version (id, version_number, dag_id, created_at, last_updated)"
            " VALUES (gen_random_uuid(), 1, :dag, now() + CAST(:since AS interval), now())"
        ),
        {"dag": dag, "since": since},
    )


@pytest.fixture
def connection(airflow_database: Engine) -> Iterator[Connection]:
    with airflow_database.connect() as connection:
        connection.execute(text("DELETE FROM log"))
        connection.execute(text("DELETE FROM dag"))
        yield connection


def test_a_dag_that_is_gone_is_recovered_once_and_by_whom_it_was_deleted_is_known(
    connection: Connection, airflow_database: Engine
) -> None:
    found: list[tuple[str, str]] = []

    def recover(automation: str, by: str, at: datetime) -> None:
        assert at.tzinfo is not None
        found.append((automation, by))

    deletions = Deletions(airflow_database, recover)
    logged(connection, dag_id(FIRST))
    logged(connection, dag_id(SECOND), "delete_dag", "bob")
    known(connection, dag_id(SECOND))  # it could not be deleted
    logged(connection, "somebody_elses")
    for _ in range(2):
        deletions.look(connection)
    assert found == [(FIRST, "ada")]
    logged(connection, dag_id(FIRST), "cli_dag_delete", "eve")
    deletions.look(connection)
    assert found == [(FIRST, "ada"), (FIRST, "eve")]


def test_airflows_own_deletion_leaves_the_entry_of_its_log_behind(
    connection: Connection, airflow_database: Engine
) -> None:
    found: list[str] = []
    deletions = Deletions(airflow_database, lambda automation, *_: found.append(automation))
    known(connection, dag_id(FIRST))
    logged(connection, dag_id(FIRST))
    connection.commit()
    deletions.look(connection)
    assert found == []
    delete_dag(dag_id(FIRST))
    deletions.look(connection)
    assert found == [FIRST]


def test_a_dag_that_was_being_parsed_meanwhile_and_is_back_at_once_is_recovered_too(
    connection: Connection, airflow_database: Engine
) -> None:
    found: list[str] = []
    deletions = Deletions(airflow_database, lambda automation, *_: found.append(automation))
    logged(connection, dag_id(FIRST))
    known(connection, dag_id(FIRST), "0.1 seconds")
    deletions.look(connection)
    assert found == [FIRST]


def test_what_could_not_be_recovered_is_tried_again(
    connection: Connection, airflow_database: Engine
) -> None:
    tries: list[str] = []

    def recover(automation: str, by: str, at: datetime) -> None:
        tries.append(automation)
        if len(tries) == 1:
            raise OSError("our database is away")

    deletions = Deletions(airflow_database, recover)
    logged(connection, dag_id(FIRST))
    logged(connection, dag_id(SECOND))
    with pytest.raises(OSError, match="away"):
        deletions.look(connection)
    assert tries == [FIRST, SECOND], "one holds up no other"
    deletions.look(connection)
    deletions.look(connection)
    assert tries == [FIRST, SECOND, FIRST]
