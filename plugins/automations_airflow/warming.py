"""What every task's process would do first, done once in the scheduler that it is forked from."""

from __future__ import annotations

import airflow.dag_processing.dagbag
import airflow.dag_processing.importers
import airflow.sdk.execution_time.task_runner  # noqa: F401
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.sdk.listener import get_listener_manager
from sqlalchemy.orm import configure_mappers


def warm() -> None:
    """Load plugins and bundles and set up the database mapping, all of it kept by a fork."""
    get_listener_manager()
    DagBundlesManager()  # type: ignore[no-untyped-call]  # Airflow is partly untyped
    configure_mappers()
