"""Starts our threads in the scheduler's process, which work in Airflow's database."""

from __future__ import annotations

import logging

from airflow import __version__ as airflow_version
from airflow.configuration import conf
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from automations.settings import get_settings
from automations_airflow import airflow_versions, installation
from automations_airflow.scheduler.asset_consumers import AssetConsumers
from automations_airflow.scheduler.deletions import Deletions
from automations_airflow.scheduler.lost_tasks import LostTasks
from automations_airflow.scheduler.marking import Marker
from automations_airflow.scheduler.resting import Rest, Waker
from automations_airflow.scheduler.task_results import TaskResults
from automations_airflow.waits import parking
from automations_airflow.waits.resuming import Resumer

log = logging.getLogger(__name__)


def start() -> None:
    """Start all of it but what is switched off."""
    dsn = conf.get("database", "sql_alchemy_conn")
    if not airflow_versions.is_tested() or not dsn.startswith("postgresql"):
        log.warning(
            "Waiting runs are not parked, nor deleted DAGs seen: not tried with Airflow %s here",
            airflow_version,
        )
        return
    engine = create_engine(dsn, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    transactions = create_engine(dsn, poolclass=NullPool)
    # Also when it is switched off: what is on its way is marked then, too.
    Marker(transactions).start()
    Deletions(engine).start()
    AssetConsumers(engine).start()
    if installation.is_own() and installation.uses_celery():
        LostTasks(engine).start()
        TaskResults(engine).start()
    if get_settings().parking:
        rest = Rest()
        parker = parking.Parker(engine, rest)
        parker.start()
        Waker(engine, rest).start()
        Resumer(transactions, parker.poll_soon).start()
        return
    log.info("Waiting runs are not parked: switched off")
    with engine.connect() as connection:
        parking.prepare(connection)
        parking.wake_all(connection)
