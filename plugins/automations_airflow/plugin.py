"""The one Airflow plugin: what Airflow must know of automations.

It imports the step code, so that workers and parsing processes, forks all, find it imported.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from automations_airflow import answered_by, bundle, listener, server_apps  # noqa: F401
from automations_airflow.console_tabs import views
from automations_airflow.links import ApprovalLink, ChildLink, RunLink, StepLink
from automations_airflow.timetable import AutomationTimetable, ScheduleTimetable

answered_by.watch()


class AutomationsPlugin(AirflowPlugin):
    """Automations in Airflow.

    Its lists are declared as Airflow declares them, of instances that there are none of.
    """

    name = "automations"
    timetables: list[Any] = [AutomationTimetable, ScheduleTimetable]  # noqa: RUF012
    operator_extra_links: list[Any] = [  # noqa: RUF012
        RunLink(),
        StepLink(),
        ApprovalLink(),
        ChildLink(),
    ]
    fastapi_apps: list[Any] = server_apps.APPS
    listeners: list[Any] = [listener]  # noqa: RUF012
    external_views: list[Any] = views()
