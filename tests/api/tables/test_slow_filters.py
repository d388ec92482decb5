"""Filters and other shapes of large tables may take long: others are answered meanwhile."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from automations.db.session import engine, reading
from automations.settings import get_settings
from tests.api.conftest import Api
from tests.api.tables.tables import table
from tests.waiting import until

_TIMEOUT = 15.0
"""Less than a filter may take: what ended by itself would prove nothing."""
WAYS: list[tuple[str, str, Any]] = [
    ("GET", "/api/tables/{}/rows", None),
    ("POST", "/api/tables/{}/rows/query", {"sort": "-createdAt"}),
    ("POST", "/api/tables/{}/aggregate", {"function": "count"}),
    ("GET", "/console/tables/{}", None),
]


def held_up() -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with reading() as session:
        return int(session.scalar(text(query)) or 0)


@pytest.mark.parametrize(("method", "path", "body"), WAYS)
def test_filters_that_take_long_leave_threads_to_the_others(
    api: Api, method: str, path: str, body: Any
) -> None:
    address = path.format(table(api)["id"])
    number = 2 * get_settings().bridge_threads
    with ThreadPoolExecutor(number) as senders:
        # Nobody gets at rows as long as this is open.
        with engine().connect() as holder, holder.begin():
            holder.execute(text("LOCK TABLE data_row IN ACCESS EXCLUSIVE MODE"))
            waiting = [senders.submit(api.call, method, address, body) for _ in range(number)]
            until = time.monotonic() + _TIMEOUT
            while held_up() < 2 and time.monotonic() < until:
                time.sleep(0.01)
            other = senders.submit(api.call, "GET", "/api/workflows", role="STRANGER")
            mine = api.call("GET", "/api/workflows")
        assert mine.status_code == 200
    assert other.result().status_code == 200
    assert {future.result().status_code for future in waiting} == {200}


SHAPE = {"name": "Deals", "columns": [{"key": "b", "type": "text"}]}
CHANGES: list[tuple[str, str, Any, set[int]]] = [
    ("PUT", "/api/tables/{}", SHAPE, {200}),
    ("DELETE", "/api/tables/{}", None, {204, 404}),
    ("POST", "/api/tables/{}/rows", {"data": {}}, {201}),
    ("PATCH", "/api/tables/{}/rows/{row}", {"data": {"a": "y"}}, {200}),
    ("DELETE", "/api/tables/{}/rows/{row}", None, {204, 404}),
    ("POST", "/api/submissions", {"formId": "{form}", "data": {"email": "a@b.example"}}, {201}),
    ("POST", "/api/forms/{form}/public", {"data": {"email": "a@b.example"}}, {201}),
    ("PATCH", "/api/forms/{form}", {"title": "Other"}, {200}),
]


@pytest.mark.parametrize(("method", "path", "body", "expected"), CHANGES)
def test_who_waits_for_another_shape_of_a_table_leaves_threads_to_the_others(
    api: Api, method: str, path: str, body: Any, expected: set[int]
) -> None:
    one = table(api, columns=[{"key": "a", "type": "text"}])["id"]
    row = api.call("POST", f"/api/tables/{one}/rows", {"data": {"a": "x"}}).json()["id"]
    form = api.form()
    assert api.call("PATCH", f"/api/forms/{form}", {"public": True}).status_code == 200
    address = path.format(one, row=row, form=form)
    body = json.loads(json.dumps(body).replace("{form}", form))
    number = 2 * get_settings().bridge_threads
    with ThreadPoolExecutor(number) as senders:
        with engine().connect() as holder, holder.begin():
            # As while a table of millions of rows forgets a column.
            holder.execute(text("SELECT 1 FROM data_table FOR UPDATE"))
            waiting = [senders.submit(api.call, method, address, body) for _ in range(number)]
            until("two that wait", lambda: held_up() >= 2)
            other = senders.submit(api.call, "GET", "/api/workflows", role="STRANGER")
            mine = api.call("GET", "/api/workflows")
        assert mine.status_code == 200
    assert other.result().status_code == 200
    assert {future.result().status_code for future in waiting} <= expected


def test_keys_of_requests_that_wait_leave_connections_and_places_to_the_others(api: Api) -> None:
    address = f"/api/tables/{table(api)['id']}/rows/query"
    number = 60

    def ask(place: int) -> Any:
        return api.call("POST", address, {}, headers={"Idempotency-Key": f"key-{place}"})

    with ThreadPoolExecutor(number + 1) as senders:
        with engine().connect() as holder, holder.begin():
            holder.execute(text("LOCK TABLE data_row IN ACCESS EXCLUSIVE MODE"))
            waiting = [senders.submit(ask, place) for place in range(number)]
            until("two that wait", lambda: held_up() >= 2)
            made = api.call(
                "POST",
                "/api/tables",
                SHAPE,
                role="STRANGER",
                headers={"Idempotency-Key": "another"},
            )
        assert made.status_code == 201
    assert {future.result().status_code for future in waiting} == {200}
