"""Parts that are forked from a process that has what they need, under a real supervisor."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from automations.launcher.run_state import PartState, RunFolder, RunState

pytestmark = pytest.mark.slow  # each starts a supervisor and its parts

PROGRAM = """
import os, pathlib, sys
from automations.launcher import probes
from automations.launcher.fork_server import ForkServer
from automations.launcher.part import Forked, Part
from automations.launcher.run_state import RunFolder
from automations.launcher.supervisor import Supervisor, handle_signals

FORK_SERVER = '''
import os, pathlib, sys, time
from automations_airflow.executors.fork_server import serve

def run(program, arguments):
    if program == "ends":
        sys.exit("It has nothing to do.")
    if program == "crashes":
        os.abort()
    print("hello", flush=True)
    pathlib.Path(arguments[0]).write_text("forked")
    time.sleep(600)

serve(run)
'''
BEGIN = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text('begun'); time.sleep(600)"
home, program = pathlib.Path(sys.argv[1]), sys.argv[2]
ready = home / "ready"
forks = ForkServer()
fork_server = Part(
    "fork-server",
    lambda: [sys.executable, "-c", FORK_SERVER],
    dict(os.environ),
    probes.fork_server(forks),
    fork_server=forks,
)
part = Part(
    "part",
    lambda: [sys.executable, "-c", BEGIN, str(ready)],
    dict(os.environ),
    lambda since: ready.exists(),
    prepare=lambda: ready.unlink(missing_ok=True),
    forked=Forked(fork_server, (program, str(ready))),
)
folder = RunFolder(home)
supervisor = Supervisor([part, fork_server], home / "logs", folder.write)
handle_signals(supervisor)
supervisor.run()
"""


class Running:
    """A supervisor in a process of its own, with a fork server and a part that it forks."""

    def __init__(self, home: Path, program: str) -> None:
        self.home = home
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(home), program])

    def part(self, name: str = "part") -> PartState:
        return RunFolder(self.home).read().parts[name]

    def until(self, condition: Callable[[RunState], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition(state := RunFolder(self.home).read()):
            assert time.monotonic() < deadline, state
            time.sleep(0.02)

    def until_running(self) -> None:
        self.until(lambda state: state.phase == "running")

    def kill_part(self) -> None:
        """Kill the part, and wait until it works again."""
        before = self.part().restarts
        os.kill(self.part().pid, signal.SIGKILL)

        def is_back(state: RunState) -> bool:
            part = state.parts["part"]
            return part.restarts > before and part.state == "healthy"

        self.until(is_back)

    @property
    def how(self) -> str:
        """How the part's process has come to be."""
        return (self.home / "ready").read_text()

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(60)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Running] = []

    def start(program: str = "works") -> Running:
        started.append(Running(tmp_path, program))
        return started[-1]

    yield start
    for running in started:
        running.end()


def test_a_part_is_forked_whenever_it_is_started_and_is_its_supervisors_own(start: Start) -> None:
    running = start()
    running.until_running()
    first = running.part().pid
    running.kill_part()
    assert running.how == "forked"
    assert running.part().pid != first
    assert psutil.Process(running.part().pid).ppid() == running.process.pid
    assert os.getsid(running.part().pid) == running.part().pid
    assert (running.home / "logs" / "part.log").read_text() == "hello\n" * 2
    assert stat.S_IMODE((running.home / "ready").stat().st_mode) == 0o600


def test_a_part_outlives_who_forked_it_and_is_forked_by_the_next_one(start: Start) -> None:
    running = start()
    running.until_running()
    part = running.part().pid
    os.kill(running.part("fork-server").pid, signal.SIGKILL)

    def is_back(state: RunState) -> bool:
        fork_server = state.parts["fork-server"]
        return fork_server.restarts == 1 and fork_server.state == "healthy"

    running.until(is_back)
    assert running.part().pid == part
    running.kill_part()
    assert running.how == "forked"


def test_a_part_begins_from_nothing_while_nobody_forks_it(start: Start) -> None:
    running = start()
    running.until_running()
    os.kill(running.part("fork-server").pid, signal.SIGSTOP)
    try:
        running.kill_part()
        assert running.how == "begun"
        part = running.part().pid
    finally:
        os.kill(running.part("fork-server").pid, signal.SIGCONT)

    def is_back(state: RunState) -> bool:
        return (
            state.parts["fork-server"].restarts == 1
            and state.parts["fork-server"].state == "healthy"
        )

    # It finds nobody who has waited for it, and what it has forked too late never begins.
    running.until(is_back)
    assert (running.part().pid, running.how) == (part, "begun")
    assert (running.home / "logs" / "part.log").read_text() == "hello\n"


@pytest.mark.parametrize("program", ["ends", "crashes"])
def test_a_part_whose_fork_ends_before_it_works_begins_from_nothing(
    start: Start, program: str
) -> None:
    running = start(program)
    running.until_running()
    assert running.how == "begun"
    said = (running.home / "logs" / "part.log").read_text()
    assert said == ("It has nothing to do.\n" if program == "ends" else "")


def test_a_fork_whose_supervisor_is_gone_before_it_begins_ends() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    code = "import time; from automations_airflow.executors.fork_server import serve; "
    code += "serve(lambda program, arguments: time.sleep(600))"
    may_begin, begin = os.pipe()
    with (
        theirs,
        ours,
        open(os.devnull, "r+b") as nothing,
        open(may_begin, "rb"),
        open(begin, "wb", buffering=0) as beginning,
        subprocess.Popen([sys.executable, "-c", code], stdin=theirs.fileno()) as fork_server,
    ):
        assert ours.recv(100) == b"ready"
        # Orphans come to another process than this one: as if this one were not there any more.
        request = {"command": ["works"], "parent": os.getpid(), "signal": int(signal.SIGTERM)}
        files = [*[nothing.fileno()] * 3, may_begin]
        socket.send_fds(ours, [json.dumps(request).encode()], files)
        fork = psutil.Process(int(ours.recv(100)))
        beginning.write(b"!")
        try:
            fork.wait(60)
        finally:
            with suppress(psutil.NoSuchProcess):
                fork.kill()
            fork_server.kill()


def test_no_forked_part_outlives_a_killed_supervisor(start: Start) -> None:
    running = start()
    running.until_running()
    part = psutil.Process(running.part().pid)
    running.process.kill()
    part.wait(60)
    assert not part.is_running()


def test_what_it_is_told_to_stop_stops(start: Start) -> None:
    running = start()
    running.until_running()
    parts = [psutil.Process(running.part(name).pid) for name in ("part", "fork-server")]
    running.end()
    assert psutil.wait_procs(parts, timeout=30)[1] == []
    assert json.loads((running.home / "run" / "state.json").read_text())["phase"] == "down"
