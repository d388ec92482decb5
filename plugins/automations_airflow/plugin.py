"""The Airflow plugin: all that we register with Airflow.

It imports the step code, so that workers and parsing processes, forks all, find it imported.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from automations_airflow import listener
from automations_airflow.dags import bundle  # noqa: F401
from automations_airflow.dags.timetable import AutomationTimetable, ScheduleTimetable
from automations_airflow.server import server_apps
from automations_airflow.ui import answered_by
from automations_airflow.ui.console_tabs import views
from automations_airflow.ui.links import ApprovalLink, ChildLink, RunLink, StepLink

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
    fastapi_root_middlewares: list[Any] = server_apps.MIDDLEWARES
    listeners: list[Any] = [listener]  # noqa: RUF012
    external_views: list[Any] = views()
