"""Reads the logs of tasks from files, since all parts of Airflow are on this machine.

Airflow asks the worker's or triggerer's log server for the log of every task that runs or waits,
also when it has read the file itself. Here there is none, which it said in each of these logs.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from airflow.config_templates import airflow_local_settings as airflows
from airflow.utils.log.file_task_handler import FileTaskHandler


class LocalTaskHandler(FileTaskHandler):
    """Asks no server for what is on the disk."""

    def _read_from_logs_server(self, ti: Any, worker_log_rel_path: str) -> Any:
        return [], []


LOGGING_CONFIG: dict[str, Any] = deepcopy(airflows.DEFAULT_LOGGING_CONFIG)
"""Airflow's own, with this handler."""
LOGGING_CONFIG["handlers"]["task"]["class"] = f"{__name__}.{LocalTaskHandler.__name__}"

# Where logs are kept elsewhere, too, if Airflow's settings say so.
REMOTE_TASK_LOG = airflows.REMOTE_TASK_LOG
DEFAULT_REMOTE_CONN_ID = airflows.DEFAULT_REMOTE_CONN_ID
