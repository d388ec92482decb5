"""Links from Airflow's UI to our API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

from automations.definitions.published import run_id, workflow_id
from automations.settings import get_settings

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


def workflow_url(workflow_id: str) -> str:
    """Where the API shows an automation."""
    return f"{get_settings().bridge_base}/api/workflows/{workflow_id}"


class RunLink(BaseOperatorLink):
    """A button on a task's page that leads to the run in the API."""

    name = "Run in the API"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        automation = workflow_id(ti_key.dag_id) or ""
        return f"{workflow_url(automation)}/runs/{run_id(automation, ti_key.run_id)}"
