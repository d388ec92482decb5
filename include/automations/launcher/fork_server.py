"""Asks a process that has imported everything to fork a part's process.

The fork becomes this process's own child: whoever forks it ends, and orphans are adopted here.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

TIMEOUT = 10.0
"""Seconds for an answer; then a part begins from nothing, which takes longer and always works."""


class ForkedProcess:
    """A child that somebody else has forked, as ``subprocess.Popen`` has its own."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, negative by a signal; None while it runs."""
        return self._take(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end."""
        code = self._take(0)
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _take(self, how: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, how)
            except ChildProcessError:
                self.returncode = -signal.SIGKILL  # somebody has taken note of its end before
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


class ForkServer:
    """The process that forks parts, behind a pair of sockets whose other end is its input."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ours: socket.socket | None = None
        self._is_ready = False
        self.is_here = False
        """Whether this process has ever started one, and so hears it."""

    @contextmanager
    def being_started(self) -> Iterator[int]:
        """The standard input of a process that is to be one, for as long as it is being started."""
        own_end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with self._lock:
            self._close()
            own_end.settimeout(TIMEOUT)
            self._ours, self.is_here = own_end, True
        with theirs:
            yield theirs.fileno()

    def is_ready(self) -> bool:
        """Whether it has imported what it is to fork, and has not ended since."""
        with self._lock:
            return self._ready() is not None

    def fork(
        self, command: Sequence[str], files: Sequence[int], number: signal.Signals
    ) -> ForkedProcess | None:
        """A part's process, which is signalled when this one dies.

        Args:
            files: its standard input, output and errors.

        Returns:
            None when it cannot be had now.
        """
        request = {"command": list(command), "parent": os.getpid(), "signal": int(number)}
        may_begin, begin = os.pipe()
        # Closed unwritten, it ends a process that comes too late: another one is the part by then.
        with open(may_begin, "rb"), open(begin, "wb") as beginning, self._lock:
            if (own_end := self._ready()) is None:
                return None
            try:
                fds = (*files, may_begin)
                socket.send_fds(own_end, [json.dumps(request).encode()], fds)
                answer = own_end.recv(100)
            except OSError:
                # What it says later would be taken for an answer to something else.
                self._close()
                return None
            if not answer.isdigit():
                return None
            with suppress(OSError):  # it has ended already, and that is seen as of any other
                beginning.write(b"!")
                beginning.flush()
            return ForkedProcess(int(answer))

    def _ready(self) -> socket.socket | None:
        """Where it is asked, once it has said that it can be, until it has ended."""
        if self._ours is not None and select.select([self._ours], [], [], 0)[0]:
            with suppress(OSError):
                self._is_ready = self._ours.recv(100) == b"ready"
            if not self._is_ready:
                self._close()
        return self._ours if self._is_ready else None

    def _close(self) -> None:
        if self._ours is not None:
            self._ours.close()
        self._ours, self._is_ready = None, False
