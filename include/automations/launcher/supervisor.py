"""The supervisor: starts the parts, restarts what dies and stops everything in order."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import FrameType

from automations.launcher import processes
from automations.launcher.child import Child
from automations.launcher.fork_server import ForkedProcess
from automations.launcher.part import Part
from automations.launcher.probes import Blocked, Unknown
from automations.launcher.run_state import PartState, RunState

POLL_INTERVAL = 0.1
START_TIMEOUT = 180.0
"""Seconds; Airflow's first migration is slow on a small machine."""
STARVED_FACTOR = 5
"""How many times longer a start may take while the machine is starved of CPU time."""
BUSY_TIMEOUT = 300.0
"""Seconds for which a part may fail to answer while it uses the CPU, or waits for it."""
STEADY_AFTER = 60.0
"""Seconds; if a part ran for longer, its next failure counts as the first."""
MAX_START_FAILURES = 5
"""Failures in a row during start-up, after which the start is given up and reported."""
MAX_BACKOFF = 30.0
"""Seconds between two starts of a failing part at most, so that it recovers soon."""
ORPHAN_TIMEOUT = 2.0
"""Seconds after the signal; a process of the session that is idle then never got it."""
HOUSEKEEPING_INTERVAL = 10.0
"""Seconds between two checks of the logs' sizes."""


class StartFailed(Exception):
    """A part did not become healthy."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part} {reason}")
        self.part = part


class Supervisor:
    """Runs parts until it is told to stop.

    Args:
        is_starved: whether the machine is starved of CPU time.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        log_folder: Path,
        on_change: Callable[[RunState], None],
        start_timeout: float = START_TIMEOUT,
        is_starved: Callable[[], bool] = processes.is_starved,
    ) -> None:
        log_folder.mkdir(parents=True, exist_ok=True)
        self._on_change = on_change
        self._start_timeout = start_timeout
        self._is_starved = is_starved
        self.state = RunState(pid=os.getpid(), phase="starting")
        self._children: dict[str, Child] = {}
        for part in parts:
            state = PartState(stop_signal=int(part.stop_signal))
            self.state.parts[part.name] = state
            self._children[part.name] = Child(part, state, log_folder / f"{part.name}.log")
        self._orphans: dict[int, float] = {}
        self._stopping = 0
        self._untold = False
        self._probes = ThreadPoolExecutor(max_workers=max(1, len(parts)))

    def run(self) -> None:
        """Run everything until ``stop``; raises ``StartFailed`` if it does not come up."""
        processes.adopt_orphans()
        began = time.monotonic()
        housekeeping = began + HOUSEKEEPING_INTERVAL
        self._on_change(self.state)
        try:
            while not self._stopping:
                if self._untold:
                    self._publish_state()
                self._reap()
                self._start_what_can()
                self._ask()
                self._end_orphans()
                now = time.monotonic()
                if self.state.phase == "starting":
                    self._judge_start(now - began)
                if now > housekeeping:
                    housekeeping = now + HOUSEKEEPING_INTERVAL
                    for child in self._children.values():
                        with suppress(OSError):  # no room for the old one yet
                            child.rotate_log()
                time.sleep(POLL_INTERVAL)
        except StartFailed as error:
            self.state.message, self.state.failed_part = str(error), error.part
            raise
        finally:
            self._stop_all()

    def stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Have ``run`` stop everything; after a second call, it does not wait for parts to end."""
        self._stopping += 1

    def _publish_state(self) -> None:
        """Publish the state; if the disk is full, the parts go on and this is done later."""
        try:
            self._on_change(self.state)
        except OSError:
            self._untold = True
        else:
            self._untold = False

    def _reap(self) -> None:
        """Reap every ended process, our own children as well as adopted orphans."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            child = next(
                (
                    c
                    for c in self._children.values()
                    if c.process is not None and c.process.pid == ended.si_pid
                ),
                None,
            )
            if child is None:
                with suppress(ChildProcessError):
                    os.waitpid(ended.si_pid, os.WNOHANG)
            else:
                self._handle_exit(child)

    def _handle_exit(self, child: Child) -> None:
        assert child.process is not None
        code = child.process.wait()
        session = child.process.pid
        # A kill by somebody else does not prove that forking fails; ours, of a hung start, does.
        was_killed = child.state.state == "starting" and code == -signal.SIGKILL
        child.fork_failed = (
            isinstance(child.process, ForkedProcess) and not child.has_worked and not was_killed
        )
        child.process, child.answer = None, None
        if child.part.once and code == 0:
            child.state.state = "done"
            child.state.seconds = time.monotonic() - child.started
        else:
            child.state.state = "stopped"
            self._plan_restart(child, code)
        self._orphans[session] = time.monotonic() + child.part.orphan_grace
        self._end_orphans()
        self._publish_state()

    def _plan_restart(self, child: Child, code: int) -> None:
        now = time.monotonic()
        child.failures = 1 if now - child.started > STEADY_AFTER else child.failures + 1
        if self.state.phase == "starting" and (
            child.part.once or child.failures >= MAX_START_FAILURES
        ):
            raise StartFailed(child.part.name, f"ended with code {code}")
        child.state.restarts += 1
        child.start_after = now + min(MAX_BACKOFF, 0.25 * 2**child.failures)

    def _start_what_can(self) -> None:
        for child in self._children.values():
            if child.process is not None or child.state.state == "done":
                continue
            if time.monotonic() < child.start_after:
                continue
            if all(self._is_there(name) for name in self._missing_needs(child)):
                try:
                    child.start()
                except Exception as error:
                    if self.state.phase == "starting":
                        raise StartFailed(child.part.name, f"cannot start: {error}") from error
                    child.failures += 1
                    child.start_after = time.monotonic() + MAX_BACKOFF
                self._publish_state()

    def _missing_needs(self, child: Child) -> Sequence[str]:
        """The parts that must be there before a part is started."""
        needs, forked = child.part.needs, child.part.forked
        # After start-up a part does not wait for its fork server, since others wait for the part.
        if forked is None or self.state.phase != "starting" or child.failures:
            return needs
        return (*needs, forked.by.name) if forked.by.name in self._children else needs

    def _is_there(self, name: str) -> bool:
        return self.state.parts[name].state in ("healthy", "done")

    def _ask(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if child.process is None or child.part.probe is None:
                continue
            if child.answer is None:
                if now >= child.probe_after:
                    child.asked = now
                    since = processes.to_unix_time(child.state.created)
                    child.answer = self._probes.submit(child.part.probe, since)
            elif child.answer.done():
                self._heard(child, child.answer)
                child.answer = None
                child.probe_after = now + (5.0 if child.state.state == "healthy" else 0.2)

    def _heard(self, child: Child, answer: Future[bool]) -> None:
        before = child.state.state
        try:
            works = answer.result()
        except Unknown:
            return
        except Blocked:
            works, child.failing_since = False, None
        except Exception:  # noqa: BLE001 -- however a part cannot be asked, it does not work
            works = False
            child.failing_since = child.failing_since or child.asked
        else:
            child.failing_since = None if works else child.failing_since or child.asked
        age = time.monotonic() - child.started
        if works:
            child.has_worked = True
            child.state.state = "healthy"
            if before == "starting":
                child.state.seconds = age
        elif before == "healthy" or age > self._may_take():
            child.state.state = "unhealthy"
        if child.state.state != before:
            self._publish_state()
        self._end_if_hung(child)

    def _end_if_hung(self, child: Child) -> None:
        """Kill a process that runs but does not work; it is restarted like one that died."""
        timeout = child.part.hung_after
        goes_on = child.work.goes_on()
        if child.state.state != "unhealthy" or timeout is None or child.failing_since is None:
            return
        if (goes_on or self._is_starved()) and not processes.is_frozen(child.state.pid):
            # It is making progress, and a restart would take even longer.
            timeout = max(timeout, BUSY_TIMEOUT)
        if time.monotonic() - child.failing_since > timeout:
            processes.kill([child.state.pid])

    def _judge_start(self, seconds: float) -> None:
        waiting = [
            child.part.name
            for child in self._children.values()
            if child.state.state not in ("healthy", "done")
        ]
        if not waiting:
            self.state.phase = "running"
            self.state.seconds = seconds
            self._publish_state()
        elif seconds > self._may_take():
            raise StartFailed(waiting[0], f"was not healthy after {seconds:.0f} s")

    def _may_take(self) -> float:
        """How long parts may take to start."""
        return self._start_timeout * (STARVED_FACTOR if self._is_starved() else 1)

    def _end_orphans(self) -> None:
        """Kill what dead parts left behind; running steps get a grace period."""
        for session, deadline in list(self._orphans.items()):
            is_late = time.monotonic() >= deadline
            find = processes.session_members if is_late else processes.idle_members
            processes.kill(find(session))
            if not processes.session_members(session):
                del self._orphans[session]

    def _stop_all(self) -> None:
        self.state.phase = "stopping"
        self._publish_state()
        for rank in sorted({c.part.stop_rank for c in self._children.values()}, reverse=True):
            self._stop([c for c in self._children.values() if c.part.stop_rank == rank])
        for session in self._orphans:
            processes.kill(processes.session_members(session))
        self._probes.shutdown(wait=False, cancel_futures=True)
        self.state.phase = "failed" if self.state.failed_part else "down"
        self._publish_state()

    def _stop(self, children: list[Child]) -> None:
        running = [child for child in children if child.process is not None]
        requests = self._stopping
        for child in running:
            assert child.process is not None
            child.process.send_signal(child.part.stop_signal)
            child.state.state = "stopping"
        self._publish_state()
        began = time.monotonic()
        while running:
            for child in list(running):
                assert child.process is not None
                if child.part.orphan_grace and time.monotonic() - began > ORPHAN_TIMEOUT:
                    # LocalExecutor sends too few stop messages if a worker takes one early, and
                    # then waits forever for the last worker.
                    processes.kill(processes.idle_members(child.process.pid))
                impatient = self._stopping > max(requests, 1)
                if time.monotonic() - began > child.part.stop_timeout or impatient:
                    child.process.kill()
                if child.process.poll() is not None:
                    processes.kill(processes.session_members(child.process.pid))
                    child.process = None
                    child.state.state = "stopped"
                    child.state.seconds = time.monotonic() - began
                    running.remove(child)
                    self._publish_state()
            time.sleep(0.05)


def handle_signals(supervisor: Supervisor) -> None:
    """Stop on Ctrl-C, on SIGTERM and when the terminal goes away."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, supervisor.stop)
