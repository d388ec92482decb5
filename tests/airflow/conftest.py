"""A real Airflow, with its database in the session's PostgreSQL."""

from __future__ import annotations

import atexit
import json
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from sqlalchemy import Engine, create_engine, text
from starlette.testclient import TestClient

from api_bridge.airflow.client import AirflowClient
from automations.settings import ROOT, Settings
from tests.conftest import Server

_HOME = Path(tempfile.mkdtemp(prefix="airflow-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

# Airflow reads its configuration when it is imported, which the test modules do.
os.environ.update(
    {
        "AIRFLOW_HOME": str(_HOME),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__CORE__DAGS_FOLDER": str(_HOME / "dags"),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(
            [
                {
                    "name": "automations",
                    "classpath": "automations_airflow.dags.bundle.AutomationBundle",
                    "kwargs": {},
                }
            ]
        ),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(_HOME / "bundles"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody@127.0.0.1:1/none",
    }
)


@pytest.fixture(scope="session", autouse=True)
def plugins() -> None:
    """Airflow's plugins, ours among them; it loads them once."""
    from airflow import plugins_manager
    from airflow.sdk.listener import get_listener_manager

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own
        plugins_manager.get_timetables_plugins()
        get_listener_manager()


@pytest.fixture(scope="session")
def airflow_dsn(postgres: Server) -> str:
    """Airflow's migrated database, which Airflow in this process uses."""
    from airflow import settings
    from airflow.utils.db import upgradedb

    dsn = postgres.dsn("airflow")
    os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = dsn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own
        settings.configure_vars()
        settings.configure_orm()
        upgradedb()
    return dsn


@pytest.fixture
def airflow_database(airflow_dsn: str) -> Iterator[Engine]:
    """Airflow's database without runs, each statement a transaction."""
    engine = create_engine(airflow_dsn, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("TRUNCATE dag_run, task_instance, dag CASCADE"))
        connection.execute(text("DROP TABLE IF EXISTS automations_parked_run"))
    yield engine
    engine.dispose()


@pytest.fixture
def airflow(airflow_database: Engine) -> Iterator[None]:
    """Airflow without runs, of which much is done in this process, with its own warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def airflow_url(airflow_dsn: str) -> Iterator[str]:
    """Where Airflow's api-server answers."""
    from airflow.api_fastapi.app import create_app

    with warnings.catch_warnings(), socket.socket() as listening:
        warnings.simplefilter("ignore")  # Airflow's own
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(), log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started:
            assert time.monotonic() < deadline, "Airflow's server does not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def client(airflow_url: str, airflow_database: Engine) -> Iterator[AirflowClient]:
    """The bridge's client of a real Airflow's server, signed in."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    client = AirflowClient(Settings(airflow_url=airflow_url))
    user = SimpleAuthManagerUser(username="bridge", role="ADMIN")
    client.http.token = get_auth_manager().generate_jwt(user)
    yield client
    client.http.close()


@pytest.fixture(scope="module")
def server(airflow_dsn: str) -> Iterator[TestClient]:
    """A client of Airflow's api-server, which is in this process."""
    # Not before Airflow is configured.
    from airflow.api_fastapi.app import create_app

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own
        with TestClient(create_app(), base_url="http://localhost:8080") as client:
            yield client
