"""Links from Airflow's UI to the console's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from airflow.sdk import BaseOperatorLink

from automations.settings import get_settings
from automations_airflow.ui.console_tabs import door

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


def console_url() -> str:
    """Where the console begins."""
    return f"{get_settings().bridge_base}/console"


def workflow_url(workflow_id: str) -> str:
    """Where the console shows an automation."""
    return f"{console_url()}/workflows/{workflow_id}"


class RunLink(BaseOperatorLink):
    """A button on a task's page that leads to its run."""

    name = "Run in the console"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return _door(ti_key)


class StepLink(BaseOperatorLink):
    """A button that leads to what the step was given, did and has put out."""

    name = "Step in the console"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return _door(ti_key, task=ti_key.task_id)


class ApprovalLink(BaseOperatorLink):
    """A button that leads to the page on which a decision is made."""

    name = "Approval page"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return approval_page(ti_key.dag_id, ti_key.run_id)


class ChildLink(BaseOperatorLink):
    """A button that leads to the run that the step has started, once the step has ended."""

    name = "Child run"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        summary: Any = getattr(operator, "summary", None) or {}
        child, dag = summary.get("runId"), summary.get("dagId")
        if dag:
            base = urlsplit(get_settings().airflow_base).path.rstrip("/")
            return f"{base}/dags/{dag}/runs/{child}"
        return door(f"?{urlencode({'run': child})}") if child else ""


def links_of(step_type: str) -> tuple[BaseOperatorLink, ...]:
    """The links of a type's tasks."""
    own: dict[str, tuple[BaseOperatorLink, ...]] = {
        "approval": (ApprovalLink(),),
        "airflow_operator": (ChildLink(),),
        "run_workflow": (ChildLink(),),
    }
    return (RunLink(), StepLink(), *own.get(step_type, ()))


def _door(ti_key: TaskInstanceKey, **more: str) -> str:
    """Through Airflow, whose session opens the console."""
    return door("?" + urlencode({"dag": ti_key.dag_id, "run": ti_key.run_id, **more}))


def approval_page(dag_id: str, run_id: str) -> str:
    """Where a decision is made that a run waits for, with the form that it takes."""
    return door("?" + urlencode({"dag": dag_id, "run": run_id, "page": "approval"}))
