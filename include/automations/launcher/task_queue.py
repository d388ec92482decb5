"""The queue of Celery's workers: Redis or Valkey, and its configuration."""

from __future__ import annotations

import socket
from pathlib import Path

from automations.launcher.profiles import BACKEND, program
from automations.launcher.secrets import write_private

_TIMEOUT = 5.0
# Each task is on the disk before the scheduler hears that it is queued.
_CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir {folder}
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
daemonize no
"""


class TaskQueue:
    """The server of one home."""

    def __init__(self, home: Path, port: int, password: str) -> None:
        self._folder = home / "queue"
        self._port = port
        self._password = password

    def prepare(self) -> None:
        """Make its folder, and write what it is configured by."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = str(self._folder).replace("\\", "\\\\").replace('"', '\\"')
        text = _CONFIGURATION.format(
            host=BACKEND, port=self._port, password=self._password, folder=f'"{folder}"'
        )
        write_private(self._folder / "queue.conf", text)

    def command(self) -> list[str]:
        """How it is started."""
        return [program("valkey-server", "redis-server"), str(self._folder / "queue.conf")]

    def is_ready(self) -> bool:
        """Whether it answers, with all that it had read from the disk."""
        try:
            with socket.create_connection((BACKEND, self._port), _TIMEOUT) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                reply = b""
                while reply.count(b"\r\n") < 2 and (more := connection.recv(1_000)):
                    reply += more
        except OSError:
            return False
        return reply == b"+OK\r\n+PONG\r\n"
