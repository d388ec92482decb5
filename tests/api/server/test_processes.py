"""A bridge of several processes: they share the port, and none outlives the first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.api.bridge_process import BridgeProcess
from tests.waiting import until


class Bridge(BridgeProcess):
    """A bridge of two processes."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, AUTOMATIONS_BRIDGE_PROCESSES="2", AUTOMATIONS_DISPATCHER="off")

    def servers(self) -> list[psutil.Process]:
        """The processes that serve; multiprocessing has one of its own beside them."""
        return [child for child in psutil.Process(self.process.pid).children() if _serves(child)]


def _serves(process: psutil.Process) -> bool:
    try:
        living = process.status() != psutil.STATUS_ZOMBIE
        return living and "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return False


@pytest.fixture
def bridge(database: str, tmp_path: Path) -> Iterator[Bridge]:
    made = Bridge(tmp_path)
    made.start()
    try:
        until("the bridge", made.answers)
        yield made
    finally:
        made.kill()


def test_a_killed_bridge_leaves_no_process_behind(bridge: Bridge) -> None:
    servers = bridge.servers()
    assert len(servers) == 2
    bridge.process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(servers, timeout=60)
    assert alive == []
    assert not bridge.answers()


def test_a_process_that_dies_is_replaced_and_the_bridge_ends_when_told(bridge: Bridge) -> None:
    before = {server.pid for server in bridge.servers()}
    first = bridge.servers()[0]
    first.kill()
    until("two more", lambda: len({server.pid for server in bridge.servers()} - {first.pid}) == 2)
    assert {server.pid for server in bridge.servers()} != before
    until("the bridge", bridge.answers)
    bridge.process.terminate()
    bridge.process.wait(120)
    assert not bridge.answers()
