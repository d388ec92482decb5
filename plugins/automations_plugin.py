"""The one Airflow plugin: what Airflow must know of automations.

It imports the step code, so that workers and parsing processes, forks all, find it imported.
"""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from automations.settings import get_settings
from automations_airflow import answered_by, bundle, listener, server_apps  # noqa: F401
from automations_airflow.console_tabs import TABS
from automations_airflow.links import ApprovalLink, ChildLink, RunLink, StepLink
from automations_airflow.timetable import AutomationTimetable, ScheduleTimetable

answered_by.watch()


class AutomationsPlugin(AirflowPlugin):
    """Automations in Airflow."""

    name = "automations"
    timetables: ClassVar[list[Any]] = [AutomationTimetable, ScheduleTimetable]
    operator_extra_links: ClassVar[list[Any]] = [
        RunLink(),
        StepLink(),
        ApprovalLink(),
        ChildLink(),
    ]
    fastapi_apps: ClassVar[list[Any]] = server_apps.APPS
    listeners: ClassVar[list[Any]] = [listener]
    external_views: ClassVar[list[Any]] = [
        *TABS,
        {
            "name": "Automations API",
            "href": f"{get_settings().bridge_base}/docs",
            "destination": "nav",
            "url_route": "automations",
        },
    ]
