"""The schedule of an automation's DAG: none, for its triggers are ours."""

from __future__ import annotations

from typing import Any

from airflow.timetables.simple import NullTimetable
from airflow.utils.types import DagRunType

from automations.ids import new_id


class AutomationTimetable(NullTimetable):
    """Schedules nothing, and gives a run started by hand in Airflow an id like the API's."""

    description = "Started by the automation's trigger"

    def generate_run_id(self, *, run_type: DagRunType, **facts: Any) -> str:
        if run_type == DagRunType.MANUAL:
            return new_id()
        return super().generate_run_id(run_type=run_type, **facts)
