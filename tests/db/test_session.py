"""Sessions: what is told of a database that is away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from sqlalchemy import select, text

from automations.db.session import raw_connection, reading, statement, unit_of_work
from automations.errors import DatabaseUnavailable
from tests.free_ports import free_port


@pytest.mark.parametrize("way", [unit_of_work, reading, statement])
def test_a_database_that_is_away_is_one_error_by_every_way_to_it(
    way: Callable[[str], AbstractContextManager[Any]],
) -> None:
    nowhere = f"postgresql+psycopg2://nobody@127.0.0.1:{free_port()}/nothing"
    with pytest.raises(DatabaseUnavailable) as away, way(nowhere) as database:
        database.execute(select(1))
    assert "refused" in str(away.value.__cause__)


@pytest.mark.parametrize("way", [unit_of_work, reading, statement])
def test_the_server_looks_whether_the_other_end_of_a_connection_is_there(
    database: str, way: Callable[[], AbstractContextManager[Any]]
) -> None:
    for _ in range(2):  # a new connection, and one that was used before
        with way() as session:
            assert session.execute(text("SHOW tcp_keepalives_idle")).scalar_one() == "30"


def test_a_connection_that_only_reads_tells_the_server_nothing_of_it(database: str) -> None:
    told = text("SELECT source FROM pg_settings WHERE name = 'default_transaction_isolation'")
    for _ in range(3):
        with reading() as session:
            assert session.execute(told).scalar_one() == "default"
        with unit_of_work() as session:
            assert session.execute(told).scalar_one() == "default"


def test_what_is_read_apart_and_what_is_done_together_end_as_they_should(database: str) -> None:
    begun = text("SELECT now()")  # when the transaction began
    with reading() as session:
        assert len({session.execute(begun).scalar_one() for _ in range(2)}) == 2
    with unit_of_work() as session:
        assert len({session.execute(begun).scalar_one() for _ in range(2)}) == 1
    with statement() as connection:
        assert len({connection.execute(begun).scalar_one() for _ in range(2)}) == 2


def test_so_it_does_for_the_connection_by_which_a_dispatcher_is_known_to_be_there(
    database: str,
) -> None:
    connection = raw_connection()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW tcp_keepalives_idle")
            assert cursor.fetchone() == ("30",)
    finally:
        connection.close()
