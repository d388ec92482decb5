"""The queue of Celery's workers: a real server, which loses nothing that it has taken."""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from automations.launcher.task_queue import TaskQueue
from tests.free_ports import free_ports
from tests.waiting import until

redis = pytest.importorskip("redis")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("redis-server") or shutil.which("valkey-server")),
        reason="neither Redis nor Valkey is installed",
    ),
]


@contextmanager
def running(queue: TaskQueue) -> Iterator[None]:
    queue.prepare()
    with subprocess.Popen(queue.command(), stdout=subprocess.DEVNULL) as process:
        try:
            until("the queue", lambda: queue.is_ready() or None)
            yield
        finally:
            process.kill()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / 'a home with a space, a "quote" and a \\'


def test_what_it_has_taken_outlives_a_kill(home: Path) -> None:
    (port,) = free_ports(1)
    queue = TaskQueue(home, port, "secret")
    assert not queue.is_ready()
    with running(queue), redis.Redis(port=port, password="secret") as client:
        client.lpush("default", "a task")
    assert not queue.is_ready()
    with running(queue), redis.Redis(port=port, password="secret") as client:
        assert client.lrange("default", 0, -1) == [b"a task"]


def test_nobody_is_served_without_its_password(home: Path) -> None:
    (port,) = free_ports(1)
    with running(TaskQueue(home, port, "secret")):
        with redis.Redis(port=port) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
        assert not TaskQueue(home, port, "another").is_ready()
    for path in (home / "queue" / "queue.conf", home / "queue"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
