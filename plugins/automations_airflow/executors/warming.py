"""Warms the scheduler up, so that the processes of tasks are forked from it warm."""

from __future__ import annotations

import logging

import jinja2.ext  # noqa: F401
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.sdk.listener import get_listener_manager
from sqlalchemy.orm import configure_mappers

from automations import wiring
from automations.execution.warm_up import warm_up
from automations_airflow.secrets import AIRFLOW_SECRETS

log = logging.getLogger(__name__)


def load() -> None:
    """Load plugins and set up the database mapping, for which no database is needed."""
    get_listener_manager()
    configure_mappers()


def warm() -> None:
    """Load bundles as well, and do a run; a fork keeps it all."""
    load()
    DagBundlesManager()
    try:
        warm_up(wiring.engine(AIRFLOW_SECRETS), wiring.ports())
    except Exception:  # the first runs are slower then, no more
        log.warning("Cannot do a run to warm up", exc_info=True)
