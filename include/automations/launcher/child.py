"""A part's process: how it is started or forked, and its state."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from automations.kit import parent_death
from automations.launcher import processes
from automations.launcher.fork_server import ForkedProcess
from automations.launcher.part import Part
from automations.launcher.run_state import PartState

UMASK = 0o077
"""Only the owner may read what parts write: mails with links, logs, definitions."""
BUSY_SHARE = 0.02
"""Of a CPU; threads that only wait and poll use less."""
BUSY_WINDOW = 5.0
"""Seconds over which that share is measured, so that a short rest does not count as idle."""
LOG_SIZE = 20_000_000
"""Bytes after which a part's log is rotated; one old log is kept."""


class ProcessActivity:
    """Whether a process is active, judged by the CPU time that it uses."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._since, self._used = time.monotonic(), 0.0
        self._works = True

    def goes_on(self) -> bool:
        """Whether it was active in the last full window."""
        seconds = time.monotonic() - self._since
        if seconds >= BUSY_WINDOW:
            used = processes.processor_seconds(self._pid)
            self._works = used - self._used > BUSY_SHARE * seconds
            self._since, self._used = time.monotonic(), used
        return self._works


class Child:
    """One part with its current process, and the state around its next one."""

    def __init__(self, part: Part, state: PartState, log: Path) -> None:
        self.part = part
        self.state = state
        self.log = log
        self.process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self.started = 0.0
        self.failures = 0
        self.start_after = 0.0
        self.probe_after = 0.0
        self.asked = 0.0
        self.answer: Future[bool] | None = None
        self.failing_since: float | None = None
        self.work = ProcessActivity(0)
        self.has_worked = False
        self.fork_failed = False

    def start(self) -> None:
        """Start the process, in its own session, so that everything it forks can be found."""
        if self.part.prepare is not None:
            self.part.prepare()
        is_one = self.part.fork_server
        source = is_one.being_started() if is_one is not None else _no_input()
        with self.log.open("ab") as log, source as stdin:
            self.process = self._fork(stdin, log.fileno()) or self._spawn(stdin, log.fileno())
        self.started = time.monotonic()
        self.answer, self.probe_after, self.failing_since = None, 0.0, None
        self.has_worked = False
        self.work = ProcessActivity(self.process.pid)
        self.state.pid = self.process.pid
        self.state.created = processes.create_time(self.process.pid)
        self.state.state = "starting"

    def _fork(self, stdin: int, log: int) -> ForkedProcess | None:
        """Fork the process, if possible; not after a forked one that never worked."""
        forked = self.part.forked
        if forked is None or self.fork_failed:
            return None
        fork_server = forked.by.fork_server
        assert fork_server is not None
        return fork_server.fork(forked.command, (stdin, log, log), self.part.stop_signal)

    def _spawn(self, stdin: int, log: int) -> subprocess.Popen[bytes]:
        ends_with_us = [
            sys.executable,
            "-I",
            "-S",
            parent_death.__file__,
            str(int(self.part.stop_signal)),
        ]
        return subprocess.Popen(
            [*ends_with_us, str(os.getpid()), *self.part.command()],
            env=self.part.environment,
            stdin=stdin,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=UMASK,
        )

    def rotate_log(self) -> None:
        """Rotate the log, keeping one old file; the process goes on writing to the same file."""
        if self.log.exists() and self.log.stat().st_size > LOG_SIZE:
            old = self.log.with_name(self.log.name + ".1")
            old.write_bytes(self.log.read_bytes())
            os.truncate(self.log, 0)


@contextmanager
def _no_input() -> Iterator[int]:
    """The standard input of a process that reads none."""
    with open(os.devnull, "rb") as file:
        yield file.fileno()
