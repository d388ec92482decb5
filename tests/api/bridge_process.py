"""A bridge as a process of its own, which tests kill and start anew."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.free_ports import free_port
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 120
SENDERS = 8


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


@contextmanager
def two_bridges(home: Path, **settings: str) -> Iterator[list[BridgeProcess]]:
    """Two that answer, and are killed at the end."""
    both = [BridgeProcess(home, **settings) for _ in range(2)]
    for bridge in both:
        bridge.start()
    try:
        for bridge in both:
            until("a bridge", bridge.answers)
        yield both
    finally:
        for bridge in both:
            bridge.kill()


def send_while_killing(
    bridges: Sequence[BridgeProcess],
    count: int,
    send: Callable[[BridgeProcess, int], str | None],
) -> dict[int, str]:
    """Send so many requests at the same time, while one bridge after the other is killed.

    All bridges are up again at the end.

    Args:
        send: sends one, by its number; gives what it was answered, None when it is to be repeated.

    Returns:
        what each was answered in the end.
    """
    answered: dict[int, str] = {}
    counts = threading.Condition()

    def send_until_answered(number: int) -> None:
        """As clients do; now to one, now to the other bridge."""
        deadline, turn = time.monotonic() + TIMEOUT, number
        while time.monotonic() < deadline:
            turn += 1
            try:
                answer = send(bridges[turn % len(bridges)], number)
            except requests.RequestException:  # refused, cut off, or half of an answer
                answer = None
            if answer is not None:
                with counts:
                    answered[number] = answer
                    counts.notify_all()
                return
            time.sleep(0.02)

    def await_answers(least: int) -> None:
        with counts:
            assert counts.wait_for(lambda: len(answered) >= least, TIMEOUT)

    with ThreadPoolExecutor(SENDERS) as pool:
        sent = [pool.submit(send_until_answered, number) for number in range(count)]
        for killed, reached in zip(bridges, (count // 4, count // 2), strict=True):
            await_answers(reached)
            killed.kill()
            killed.start()
        for one in sent:
            one.result()
    # One of them may have answered all that was left before the other was up again.
    for bridge in bridges:
        until("a bridge", bridge.answers)
    return answered
