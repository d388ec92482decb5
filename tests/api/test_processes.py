"""A bridge of several processes: they share the port, and none outlives the first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from tests.conftest import free_port

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60


def until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


class Bridge:
    def __init__(self, home: Path) -> None:
        self.address = f"http://127.0.0.1:{(port := free_port())}"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                [str(ROOT / "include"), str(ROOT / "plugins"), str(ROOT)]
            ),
            "AUTOMATIONS_HOME": str(home),
            "AUTOMATIONS_BRIDGE_PORT": str(port),
            "AUTOMATIONS_BRIDGE_PROCESSES": "2",
            "AUTOMATIONS_DISPATCHER": "off",
        }
        command = [sys.executable, "-m", "api_bridge"]
        self.process = subprocess.Popen(command, env=environment, cwd=ROOT)

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/healthz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def servers(self) -> list[psutil.Process]:
        """The processes that serve; multiprocessing has one of its own beside them."""
        children = psutil.Process(self.process.pid).children()
        living = [one for one in children if one.status() != psutil.STATUS_ZOMBIE]
        return [one for one in living if "spawn_main" in " ".join(one.cmdline())]


@pytest.fixture
def bridge(database: str, tmp_path: Path) -> Iterator[Bridge]:
    made = Bridge(tmp_path)
    try:
        until(made.answers)
        yield made
    finally:
        made.process.kill()
        made.process.wait(10)


def test_a_killed_bridge_leaves_no_process_behind(bridge: Bridge) -> None:
    servers = bridge.servers()
    assert len(servers) == 2
    bridge.process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(servers, timeout=10)
    assert alive == []
    assert not bridge.answers()


def test_a_process_that_dies_is_replaced_and_the_bridge_ends_when_told(bridge: Bridge) -> None:
    before = {one.pid for one in bridge.servers()}
    first = bridge.servers()[0]
    first.kill()
    until(lambda: len({one.pid for one in bridge.servers()} - {first.pid}) == 2)
    assert {one.pid for one in bridge.servers()} != before
    until(bridge.answers)
    bridge.process.terminate()
    bridge.process.wait(30)
    assert not bridge.answers()
