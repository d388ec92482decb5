"""Filters of rows may take seconds: others are answered meanwhile."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from automations.db.session import engine, reading
from automations.settings import get_settings
from tests.api.conftest import Api
from tests.api.tables import table

_PATIENCE = 15.0
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
            until = time.monotonic() + _PATIENCE
            while held_up() < 2 and time.monotonic() < until:
                time.sleep(0.01)
            other = senders.submit(api.call, "GET", "/api/workflows", role="STRANGER")
            mine = api.call("GET", "/api/workflows")
        assert mine.status_code == 200
    assert other.result().status_code == 200
    assert {one.result().status_code for one in waiting} == {200}
