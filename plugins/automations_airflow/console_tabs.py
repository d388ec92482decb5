"""Where Airflow's UI shows the console: tabs of DAGs, runs and tasks, and an entry of its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from automations.settings import get_settings

DOOR = "/automations/console"
"""Where the door to the console is mounted in Airflow's api-server."""


def door(query: str = "") -> str:
    """The door's address, of what the query names."""
    # Of the address that the reader has Airflow at: their session there is of no other one.
    base = urlsplit(get_settings().airflow_base).path.rstrip("/")
    return f"{base}{DOOR}/open{query}"


TABS: list[dict[str, Any]] = [
    {
        "name": "Automations",
        "href": door(),
        "destination": "nav",
        "url_route": "automations-console",
    },
    {
        "name": "Automation",
        "href": door("?dag={DAG_ID}"),
        "destination": "dag",
        "url_route": "automation",
    },
    {
        "name": "Console",
        "href": door("?dag={DAG_ID}&run={RUN_ID}"),
        "destination": "dag_run",
        "url_route": "automation-run",
    },
    {
        "name": "Console",
        "href": door("?dag={DAG_ID}&run={RUN_ID}&task={TASK_ID}"),
        "destination": "task_instance",
        "url_route": "automation-step",
    },
]
