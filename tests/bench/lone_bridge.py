"""A bridge on a database of its own, without Airflow: what the API alone can do."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import requests
from cryptography.fernet import Fernet

from automations.db import migrate
from automations.launcher.postgres import EmbeddedPostgres
from tests.bench.measuring import ROOT, end, plain_environment, until
from tests.free_ports import free_ports


@dataclass(frozen=True)
class LoneBridge:
    """Where it is."""

    address: str
    bare: str
    """The yardstick of ``bare.py``, on the same database."""
    dsn: str
    key: str
    pid: int

    def connect(self) -> psycopg2.extensions.connection:
        """A connection to its database."""
        return psycopg2.connect(self.dsn.replace("+psycopg2", ""))


@contextmanager
def lone_bridge(
    folder: Path, dispatcher: str = "off", allow: str = "", serving: int = 1
) -> Iterator[LoneBridge]:
    """Start it, and stop it at the end.

    Args:
        allow: a local server that it may read from.
        serving: how many processes it has.
    """
    folder.mkdir(mode=0o711, exist_ok=True)
    postgres_port, bridge_port, bare_port = free_ports(3)
    server = EmbeddedPostgres(folder / "postgres", postgres_port, secrets.token_hex(8))
    environment = {
        **plain_environment(),
        "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("include", "plugins", ".")),
        "AUTOMATIONS_HOME": str(folder),
        "AUTOMATIONS_DATABASE_DSN": server.dsn(),
        "AUTOMATIONS_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "AUTOMATIONS_BRIDGE_PORT": str(bridge_port),
        "AUTOMATIONS_DISPATCHER": dispatcher,
        "AUTOMATIONS_HTTP_ALLOW": allow,
        "AUTOMATIONS_BRIDGE_PROCESSES": str(serving),
    }
    processes: list[subprocess.Popen[bytes]] = []
    try:
        server.start()
        migrate.upgrade(server.dsn())
        making = "from automations.launcher.setup import create_key; print(create_key('OWNER','b'))"
        key = subprocess.check_output([sys.executable, "-c", making], env=environment, text=True)
        bare = ["uvicorn", "tests.bench.bare:app", "--host", "127.0.0.1", "--port", str(bare_port)]
        for module in (["api_bridge"], [*bare, "--no-access-log", "--log-level", "warning"]):
            command = [sys.executable, "-m", *module]
            log = subprocess.DEVNULL
            process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
            processes.append(process)
        found = LoneBridge(
            f"http://127.0.0.1:{bridge_port}",
            f"http://127.0.0.1:{bare_port}",
            server.dsn(),
            key.strip(),
            processes[0].pid,
        )
        for address in (f"{found.address}/docs", f"{found.bare}/docs"):
            until(f"{address} to answer", lambda address=address: _answers(address), 180)  # type: ignore[misc]
        yield found
    finally:
        end(processes)
        server.stop()


def _answers(address: str) -> bool | None:
    try:
        with closing(requests.get(address, timeout=5)) as answer:
            return answer.ok or None
    except requests.ConnectionError:
        return None
