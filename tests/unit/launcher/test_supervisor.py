"""The supervisor, for real: a process of its own, with small programs as its parts."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from automations.launcher import child as children
from automations.launcher.child import Child
from automations.launcher.part import Part
from automations.launcher.run_state import PartState, RunFolder, RunState
from tests.free_ports import free_port
from tests.waiting import until

pytestmark = pytest.mark.slow  # each starts a supervisor and its parts

PYTHON = [sys.executable, "-c"]
# Every part says that it is ready by a file of its name.
READY = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch(); "
SLEEP = READY + "import time; time.sleep(600)"
WORK = READY + "\nwhile True: pass"
PROGRAM = """
import json, os, pathlib, sys
from automations.launcher.part import Part
from automations.launcher.run_state import RunFolder
from automations.launcher import child, processes
from automations.launcher.supervisor import StartFailed, Supervisor, handle_signals

child.BUSY_WINDOW = 2.0
home = pathlib.Path(sys.argv[1])

def part(name, code, needs=(), once=False, probe=None, **more):
    ready = home / (name + ".ready")
    return Part(
        name,
        lambda: [sys.executable, "-c", code, str(ready)],
        dict(os.environ),
        None if once else (lambda since: ready.exists()),
        tuple(needs),
        lambda: ready.unlink(missing_ok=True),
        once=once,
        **more,
    )

folder = RunFolder(home)
lock = folder.acquire()
if lock is None:
    sys.exit(3)
parts = [part(**each) for each in json.loads(sys.argv[2])]
is_starved = {
    "quiet": lambda: False, "starved": lambda: True, "as it is": processes.is_starved
}[sys.argv[4]]
supervisor = Supervisor(parts, home / "logs", folder.write, float(sys.argv[3]), is_starved)
handle_signals(supervisor)
try:
    supervisor.run()
except StartFailed as error:
    sys.exit(f"failed: {error}")
"""


class Running:
    """A supervisor in a process of its own."""

    def __init__(
        self, home: Path, parts: list[dict[str, Any]], timeout: float, machine: str
    ) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [*PYTHON, PROGRAM, str(home), json.dumps(parts), str(timeout), machine],
            stderr=subprocess.PIPE,
            text=True,
        )

    def state(self) -> RunState:
        return RunFolder(self.home).read()

    def part(self, name: str) -> PartState:
        return self.state().parts[name]

    def until(self, condition: Callable[[RunState], bool], seconds: float = 60) -> RunState:
        deadline = time.monotonic() + seconds
        while not condition(state := self.state()):
            assert time.monotonic() < deadline, state
            time.sleep(0.02)
        return state

    def end(self) -> str:
        self.process.terminate()
        return self.process.communicate(timeout=60)[1]


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Supervisors that are ended whatever happens."""
    started: list[Running] = []

    def start(*parts: dict[str, Any], timeout: float = 60, machine: str = "quiet") -> Running:
        running = Running(tmp_path, list(parts), timeout, machine)
        started.append(running)
        return running

    yield start
    for running in started:
        running.end()


def running(state: RunState) -> bool:
    return state.phase == "running"


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_it_runs_when_every_part_answers(start: Start) -> None:
    state = start({"name": "a", "code": SLEEP}, {"name": "b", "code": SLEEP}).until(running)
    assert {part.state for part in state.parts.values()} == {"healthy"}
    assert all(alive(part.pid) for part in state.parts.values())


def test_a_part_waits_for_what_it_needs(start: Start, tmp_path: Path) -> None:
    first: dict[str, Any] = {"name": "first", "code": "import time; time.sleep(0.5)", "once": True}
    code = f"import pathlib; assert pathlib.Path({str(tmp_path / 'x')!r}).exists(); " + SLEEP
    first["code"] += f"; open({str(tmp_path / 'x')!r}, 'w')"
    state = start({"name": "second", "code": code, "needs": ["first"]}, first).until(running)
    assert state.parts["first"].state == "done"
    assert state.parts["second"].restarts == 0


def test_a_part_is_restarted_also_while_that_cannot_be_written_down(
    start: Start, tmp_path: Path
) -> None:
    supervisor = start({"name": "part", "code": SLEEP})
    before = supervisor.until(running).parts["part"].pid
    # As it is on a full disk, which an administrator cannot be kept from writing to otherwise.
    in_the_way = tmp_path / "run" / "state.new"
    in_the_way.mkdir()
    ready = tmp_path / "part.ready"
    ready.unlink()
    os.kill(before, signal.SIGKILL)
    until("it to be started again", lambda: ready.exists() or None)
    assert supervisor.process.poll() is None
    assert supervisor.part("part").pid == before
    in_the_way.rmdir()
    state = supervisor.until(lambda state: state.parts["part"].pid != before)
    assert state.parts["part"].restarts == 1


def test_a_part_that_dies_with_what_it_needs_is_started_when_that_works_again(
    start: Start, tmp_path: Path
) -> None:
    allowed = tmp_path / "allowed"
    when = "import pathlib, time\nwhile not pathlib.Path({!r}).exists(): time.sleep(0.02)\n"
    needed = {"name": "needed", "code": when.format(str(allowed)) + SLEEP}
    allowed.touch()
    supervisor = start(needed, {"name": "part", "code": SLEEP, "needs": ["needed"]})
    parts = supervisor.until(running).parts
    allowed.unlink()
    for name in parts:
        os.kill(parts[name].pid, signal.SIGKILL)
    supervisor.until(
        lambda state: state.parts["needed"].state == "starting" and state.parts["part"].restarts > 0
    )
    # Long enough for it to have been tried, had it not to wait.
    time.sleep(1.5)
    assert supervisor.part("part").state == "stopped"
    allowed.touch()
    state = supervisor.until(lambda state: state.parts["part"].state == "healthy")
    assert state.parts["part"].restarts == 1


def test_a_killed_part_is_restarted(start: Start) -> None:
    supervisor = start({"name": "a", "code": SLEEP})
    before = supervisor.until(running).parts["a"].pid
    os.kill(before, signal.SIGKILL)
    after = supervisor.until(lambda state: state.parts["a"].restarts == 1)
    after = supervisor.until(lambda state: state.parts["a"].state == "healthy")
    assert after.parts["a"].pid != before


def test_what_a_killed_part_left_behind_is_killed_before_it_is_restarted(start: Start) -> None:
    port = free_port()
    # A child that keeps the port, as a web server's worker does.
    code = (
        "import os, socket, time\n"
        f"s = socket.create_server(('127.0.0.1', {port})); s.set_inheritable(True)\n"
        "if os.fork() == 0: time.sleep(600)\n" + SLEEP
    )
    supervisor = start({"name": "a", "code": code})
    pid = supervisor.until(running).parts["a"].pid
    (child,) = psutil.Process(pid).children()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(child.pid))
    supervisor.until(lambda state: state.parts["a"].state == "healthy")
    wait_until(lambda: supervisor.part("a").restarts == 1)


def test_a_worker_in_the_middle_of_a_task_gets_a_grace_and_an_idle_one_does_not(
    start: Start, tmp_path: Path
) -> None:
    done = tmp_path / "done"
    pids = tmp_path / "pids"
    may_end = tmp_path / "may_end"
    task = (
        f"os.setpgid(0, 0)\n        while not os.path.exists({str(may_end)!r}): time.sleep(0.02)\n"
        f"        open({str(done)!r}, 'w'); os._exit(0)"
    )
    code = (
        "import os, time\n"
        "def worker(busy):\n"
        "    if busy and os.fork() == 0:\n"
        f"        {task}\n"
        "    time.sleep(600)\n"
        "workers = []\n"
        "for busy in (False, True):\n"
        "    pid = os.fork()\n"
        "    if pid == 0: worker(busy)\n"
        "    workers.append(pid)\n"
        f"open({str(pids)!r}, 'a').write(f'{{workers[0]}} {{workers[1]}}\\n')\n" + SLEEP
    )
    supervisor = start({"name": "a", "code": code, "orphan_grace": 60})
    pid = supervisor.until(running).parts["a"].pid
    idle, busy = map(int, pids.read_text().split("\n")[0].split())
    wait_until(lambda: bool(psutil.Process(busy).children()))
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(idle))
    assert alive(busy)
    may_end.touch()
    wait_until(done.exists)
    wait_until(lambda: not alive(busy))


def test_a_part_that_does_nothing_and_no_longer_answers_is_restarted(
    start: Start, tmp_path: Path
) -> None:
    supervisor = start({"name": "a", "code": SLEEP, "hung_after": 0.5})
    before = supervisor.until(running).parts["a"].pid
    (tmp_path / "a.ready").unlink()
    state = supervisor.until(
        lambda state: state.parts["a"].restarts == 1 and state.parts["a"].state == "healthy"
    )
    assert state.parts["a"].pid != before


# Where the machine is in truth too busy for it, nobody can see whether it is at work.
@pytest.mark.parametrize(("code", "machine"), [(WORK, "as it is"), (SLEEP, "starved")])
def test_a_part_that_is_at_work_or_cannot_be_is_not_hung(
    start: Start, tmp_path: Path, code: str, machine: str
) -> None:
    slow = {"name": "slow", "code": code, "hung_after": 0.5}
    frozen = {"name": "frozen", "code": WORK, "hung_after": 0.5}
    supervisor = start(slow, frozen, machine=machine)
    parts = supervisor.until(running).parts
    for name in parts:
        (tmp_path / f"{name}.ready").unlink()
    supervisor.until(lambda state: {p.state for p in state.parts.values()} == {"unhealthy"})
    # By the time that this one is found to do nothing, the other would have been, too.
    os.kill(parts["frozen"].pid, signal.SIGSTOP)
    supervisor.until(lambda state: state.parts["frozen"].restarts == 1)
    assert supervisor.part("slow").restarts == 0
    assert alive(parts["slow"].pid)


def test_what_a_part_writes_is_for_its_owner_only(start: Start, tmp_path: Path) -> None:
    start({"name": "a", "code": SLEEP}).until(running)
    assert stat.S_IMODE((tmp_path / "a.ready").stat().st_mode) == 0o600


def test_it_stops_everything_in_order_when_it_is_told_to(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        f"    open({str(log)!r}, 'a').write(sys.argv[1].rpartition('/')[2] + ' '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n" + SLEEP
    )
    supervisor = start(
        {"name": "base", "code": code, "stop_rank": 0},
        {"name": "top", "code": code, "stop_rank": 2},
        {"name": "middle", "code": code, "stop_rank": 1},
    )
    pids = [part.pid for part in supervisor.until(running).parts.values()]
    supervisor.end()
    assert supervisor.process.returncode == 0
    assert log.read_text() == "top.ready middle.ready base.ready "
    assert not any(alive(pid) for pid in pids)
    assert supervisor.state().phase == "down"


def test_it_says_which_parts_it_waits_for_while_it_stops(start: Start, tmp_path: Path) -> None:
    may_end = tmp_path / "may_end"
    code = (
        "import os, signal, time\n"
        "def end(*_):\n"
        f"    while not os.path.exists({str(may_end)!r}): time.sleep(0.02)\n"
        "    exit()\n"
        "signal.signal(signal.SIGTERM, end)\n" + SLEEP
    )
    slow = {"name": "slow", "code": code, "stop_rank": 1, "stop_timeout": 60}
    supervisor = start(slow, {"name": "b", "code": SLEEP})
    supervisor.until(running)
    supervisor.process.terminate()
    supervisor.until(lambda state: state.parts["slow"].state == "stopping")
    time.sleep(2)
    may_end.touch()
    state = supervisor.until(lambda state: state.phase == "down")
    assert state.parts["slow"].seconds >= 1


def test_a_part_that_does_not_stop_is_killed_with_its_children(start: Start) -> None:
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.fork() == 0: time.sleep(600)\n" + SLEEP
    )
    supervisor = start({"name": "a", "code": code, "stop_timeout": 0.5})
    pid = supervisor.until(running).parts["a"].pid
    family = [pid, *(child.pid for child in psutil.Process(pid).children())]
    assert len(family) == 2
    supervisor.end()
    wait_until(lambda: not any(alive(pid) for pid in family))


def test_no_part_outlives_a_killed_supervisor(start: Start) -> None:
    supervisor = start({"name": "a", "code": SLEEP}, {"name": "b", "code": SLEEP})
    pids = [part.pid for part in supervisor.until(running).parts.values()]
    supervisor.process.kill()
    wait_until(lambda: not any(alive(pid) for pid in pids))


def test_a_failed_one_time_part_fails_the_start_and_stops_the_rest(start: Start) -> None:
    supervisor = start(
        {"name": "a", "code": SLEEP}, {"name": "setup", "code": "raise SystemExit(4)", "once": True}
    )
    error = supervisor.process.communicate(timeout=60)[1]
    assert "failed: setup ended with code 4" in error
    state = supervisor.state()
    assert (state.phase, state.failed_part) == ("failed", "setup")
    assert not alive(state.parts["a"].pid)


def test_a_part_that_keeps_dying_fails_the_start(start: Start) -> None:
    supervisor = start({"name": "a", "code": "raise SystemExit(1)"})
    assert "failed: a ended with code 1" in supervisor.process.communicate(timeout=60)[1]


def test_a_part_that_never_answers_fails_the_start(start: Start) -> None:
    supervisor = start({"name": "a", "code": "import time; time.sleep(600)"}, timeout=1)
    assert "failed: a was not healthy after" in supervisor.process.communicate(timeout=60)[1]


def test_a_second_supervisor_of_one_home_does_not_start(start: Start) -> None:
    first = start({"name": "a", "code": SLEEP})
    first.until(running)
    second = start({"name": "a", "code": SLEEP})
    second.process.communicate(timeout=60)
    assert second.process.returncode == 3
    assert RunFolder(first.home).supervisor() == first.process.pid


def test_a_log_that_grew_large_is_rotated_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "LOG_SIZE", 10)
    log = tmp_path / "a.log"
    child = Child(Part("a", list, {}), PartState(), log)
    with log.open("a") as file:
        file.write("more than ten characters")
        file.flush()
        child.rotate_log()
        file.write("afterwards")
    assert (tmp_path / "a.log.1").read_text() == "more than ten characters"
    assert log.read_text() == "afterwards"
