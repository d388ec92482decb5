"""The places of the console in Airflow's UI: a menu entry, and tabs of DAGs, runs and tasks."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf

from automations.settings import get_settings
from automations_airflow import installation

DOOR = "/automations/console"
"""Where the sign-in to the console is mounted in Airflow's api-server."""


def door(query: str = "") -> str:
    """The door's address, of what the query names."""
    # Of the address that the reader has Airflow at: their session there is of no other one.
    base = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    return f"{base}{DOOR}/open{query}"


def views() -> list[dict[str, Any]]:
    """What Airflow's UI is to show; nothing where no automations are published to it."""
    if not installation.publishes():
        return []
    # Airflow has tabs of all DAGs or of none: of somebody else's, only where that is wished.
    return [*_entries(), *(_tabs() if get_settings().airflow_tabs else ())]


def _entries() -> list[dict[str, Any]]:
    return [
        {
            "name": "Automations",
            "href": door(),
            "destination": "nav",
            "url_route": "automations-console",
        },
        {
            "name": "Automations API",
            "href": f"{get_settings().bridge_base}/docs",
            "destination": "nav",
            "url_route": "automations",
        },
    ]


def _tabs() -> list[dict[str, Any]]:
    return [
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
