"""What is running in a home: written by its supervisor, read by all other commands."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Literal

from automations.kit.stored import known_fields
from automations.launcher import processes

PartStatus = Literal["waiting", "starting", "healthy", "unhealthy", "stopping", "stopped", "done"]
"""How a part stands; ``done`` is one that runs once, and has."""
Phase = Literal["starting", "running", "stopping", "down", "failed"]
"""How all of them stand together."""
NAME_WIDTH = 15
"""Of the column of parts' names, wherever there is one."""


@dataclass
class PartState:
    """One part as its supervisor sees it."""

    state: PartStatus = "waiting"
    pid: int = 0
    created: float = 0.0
    """In seconds since the start of the machine."""
    restarts: int = 0
    seconds: float = 0.0
    stop_signal: int = 15


@dataclass
class RunState:
    """One supervisor and its parts."""

    pid: int = 0
    phase: Phase = "down"
    seconds: float = 0.0
    message: str = ""
    failed_part: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    """Where the parts listen, for commands whose own environment does not say so."""
    parts: dict[str, PartState] = field(default_factory=dict)
    boot: str = field(default_factory=processes.boot_id)
    """The start of the machine of which the parts' processes are."""


class RunFolder:
    """``<home>/run``: the state file and the lock that keeps a second supervisor out."""

    def __init__(self, home: Path) -> None:
        self.path = home / "run"
        self.path.mkdir(parents=True, exist_ok=True)
        self._state = self.path / "state.json"
        self._lock = self.path / "supervisor.lock"

    def read(self) -> RunState:
        """The state last written; an empty one when there is none."""
        try:
            data = json.loads(self._state.read_text())
        except (FileNotFoundError, ValueError):
            return RunState()
        # The supervisor may be of before an upgrade, which begins with taking it down.
        parts = {
            name: PartState(**known_fields(PartState, part))
            for name, part in data.pop("parts", {}).items()
        }
        state = RunState(**known_fields(RunState, data), parts=parts)
        if state.boot != processes.boot_id():
            # Their numbers may be those of others now.
            for part in parts.values():
                part.pid = 0
        return state

    def write(self, state: RunState) -> None:
        """Replace the state file."""
        temporary = self._state.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(state), indent=1))
        temporary.replace(self._state)

    def acquire(self) -> IO[str] | None:
        """Become this home's supervisor for as long as the file is open, unless there is one."""
        file = self._lock.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return file

    def supervisor(self) -> int | None:
        """The pid of the running supervisor, asked of the lock itself."""
        with self._lock.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                return int(file.read() or 0) or None
        return None

    def wait_until_free(
        self, seconds: float, at_each_look: Callable[[], None] = lambda: None
    ) -> bool:
        """Wait until no supervisor holds the lock; call a function now and then, and at the end."""
        deadline = time.monotonic() + seconds
        while held := self.supervisor() is not None:
            at_each_look()
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        at_each_look()
        return not held
