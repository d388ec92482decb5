"""What is asked for twice at once comes to what it does twice in turn, or once and a conflict."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from automations.db import session as db
from automations.db.session import unit_of_work
from automations.services.workflows import definitions
from tests import whole_tables
from tests.api.conftest import Api
from tests.api.roles import Needed, World
from tests.conftest import Server

BESIDE = {"audit_log", "security_event", "rate_limit", "idempotency_key"}
"""Tables in which each request leaves something."""
NOT_HERE = ("/session", "/send-email", "/test", "/check", "/discover", "/query", "/aggregate")
"""Ends of addresses at which one signs out, or nothing is changed here."""
_MARKS = ("status", "version", "enabled", "deleted_at", "revoked_at", "read_at")
"""Columns that say what became of something."""


class Twice:
    """Asks for one thing twice, each time of the same workspace."""

    def __init__(self, world: World, server: Server) -> None:
        self._world, self._server = world, server
        self._rows = server.rows_of_all()
        self._query = _state_query()

    def in_turn(self, route: Needed, times: int) -> tuple[list[int], Any]:
        """The statuses and what is there then."""
        self._begin()
        statuses = [self._world.call(route, "OWNER").status_code for _ in range(times)]
        return sorted(statuses), self._state()

    def at_once(self, route: Needed) -> tuple[list[int], Any]:
        """The same of two at the same moment."""
        self._begin()
        ready = Barrier(2)

        def ask(_: int) -> int:
            ready.wait()
            return int(self._world.call(route, "OWNER").status_code)

        with ThreadPoolExecutor(2) as pool:
            statuses = list(pool.map(ask, range(2)))
        return sorted(statuses), self._state()

    def _begin(self) -> None:
        db.dispose()
        self._server.empty()
        self._server.put_back(self._rows)
        definitions.forget()
        # So that both find their connections and what a process knows of its own.
        assert self._world.api.call("GET", "/api/tables").status_code == 200

    def _state(self) -> dict[str, Any]:
        with unit_of_work() as session:
            return dict(session.execute(text(self._query)).mappings().one())


def _state_query() -> str:
    """Asks for what is there: of each table its rows, by what became of them."""
    columns = """
        SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = 'public'
    """
    with unit_of_work() as session:
        told = {name: ["''"] for name in whole_tables.names(session) if name not in BESIDE}
        for table, column in session.execute(text(columns)):
            if table in told and column in _MARKS:
                is_time = column.endswith("_at")
                told[table].append(f"{column} IS NOT NULL" if is_time else column)
    return "SELECT " + ", ".join(
        f"(SELECT array_agg(one ORDER BY one) FROM"
        f" (SELECT concat_ws('/', {', '.join(marks)}) AS one FROM {table}) q) AS {table}"
        for table, marks in sorted(told.items())
    )


@pytest.mark.slow
def test_two_requests_at_once_come_to_what_they_do_in_turn(
    api: Api, app: FastAPI, postgres: Server
) -> None:
    twice = Twice(World(api), postgres)
    for path, operations in sorted(app.openapi()["paths"].items()):
        for method in sorted(operations.keys() & {"post", "put", "patch", "delete"}):
            if path.endswith(NOT_HERE) or "{token}" in path:
                continue
            route = Needed(method.upper(), path, None, None)
            both, (statuses, found) = twice.in_turn(route, 2), twice.at_once(route)
            assert max(statuses) < 500, (route, statuses)
            if (statuses, found) != both:
                _, one = twice.in_turn(route, 1)
                assert (found, max(statuses)) in ((one, 409), (both[1], 409)), (route, statuses)
