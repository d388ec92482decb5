"""A bridge as a process of its own, which tests kill and start anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import requests

from tests.free_ports import free_port

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 120


class BridgeProcess:
    """A bridge on the tests' database.

    Args:
        settings: further ones, as environment variables.
    """

    def __init__(self, home: Path, **settings: str) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                [str(ROOT / "include"), str(ROOT / "plugins"), str(ROOT)]
            ),
            "AUTOMATIONS_HOME": str(home),
            "AUTOMATIONS_BRIDGE_PORT": str(port),
            **settings,
        }

    def start(self) -> None:
        command = [sys.executable, "-m", "api_bridge"]
        self.process = subprocess.Popen(command, env=self._environment, cwd=ROOT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/healthz", timeout=5).ok
        except requests.RequestException:  # also when a busy machine lets it wait
            return False
