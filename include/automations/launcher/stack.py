"""Brings one home up and down."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from automations.errors import SettingsFault
from automations.launcher import processes, profiles, settings_file
from automations.launcher.airflow_config import parts_environment
from automations.launcher.child import UMASK
from automations.launcher.part import Part
from automations.launcher.parts import all_parts, embedded_postgres
from automations.launcher.progress import Progress, show_summary, show_tail
from automations.launcher.run_state import RunFolder, RunState
from automations.launcher.secrets import ensure_secrets
from automations.launcher.supervisor import (
    START_TIMEOUT,
    STARVED_FACTOR,
    StartFailed,
    Supervisor,
    handle_signals,
)
from automations.settings import Settings, default_home, get_settings

ALREADY_UP = 3
SHUTDOWN_TIMEOUT = 90.0
"""Seconds: parts have tens of them each to end their work, and end one after the other."""
_KNOWN = (
    "host",
    "bridge_port",
    "airflow_port",
    "postgres_port",
    "mail_smtp_port",
    "mail_web_port",
    "http_allow",
    "profile",
    "backend_port",
    "celery_workers",
)
"""Settings that commands go by as the home was started with them."""


class PortTaken(Exception):
    """Ports that parts need are taken; a line for each, and free ones that may be used instead."""


def open_home() -> Settings:
    """Make the home folder and its secrets, and read the settings: what is up knows its own.

    Raises:
        SettingsFault: the folder cannot be written, or a setting cannot be taken.
    """
    home = default_home()
    with writing(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_private(home)
        ensure_secrets(home)
        folder = RunFolder(home)
    settings_file.apply(home)
    if folder.supervisor() is not None:
        # Through the environment, so that they hold in the processes that a command starts, too.
        for name, value in folder.read().settings.items():
            os.environ[f"AUTOMATIONS_{name.upper()}"] = value
        get_settings.cache_clear()
    return get_settings()


def _to_env(value: object) -> str:
    """A setting as the environment has it."""
    return ",".join(value) if isinstance(value, tuple) else str(value)


@contextmanager
def writing(home: Path) -> Iterator[None]:
    """Say in words that a home cannot be written.

    Raises:
        SettingsFault: it cannot.
    """
    try:
        yield
    except OSError as error:
        where = f"{error.filename or home}: {error.strerror}"
        raise SettingsFault(
            [f"{where}. AUTOMATIONS_HOME names the folder for everything written, now {home}."]
        ) from error


def make_private(home: Path) -> None:
    """Take from others what they may do with a home that was made elsewhere, or long ago."""
    # A home that is a link is the folder behind it.
    for path in (home.resolve(), *home.iterdir()):
        with suppress(PermissionError):  # somebody else's, as PostgreSQL's folder is root's guest
            if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & UMASK:
                path.chmod(stat.S_IMODE(path.stat().st_mode) & ~UMASK)


def up(settings: Settings, console: Console, detach: bool) -> int:
    """Start everything; in the foreground until it is stopped, or detached once it works."""
    profiles.check(settings)
    folder = RunFolder(settings.home)
    if folder.supervisor() is not None:
        console.print("Already up.")
        return _wait_until_up(settings, console, None)
    if detach:
        return _wait_until_up(settings, console, _spawn_supervisor(settings))
    progress = Progress(console)

    def show(state: RunState) -> None:
        progress.show(state)
        if state.phase == "running" and not shown:
            shown.append(True)
            show_summary(console, settings, state.seconds)
            console.print("Ctrl-C stops everything.")

    shown: list[bool] = []
    code = supervise(settings, show)
    if code == 1:
        _explain_failure(settings, console)
    return code


def supervise(settings: Settings, show: Callable[[RunState], None]) -> int:
    """Be the supervisor of this home until told to stop."""
    os.umask(UMASK)
    folder = RunFolder(settings.home)
    lock = folder.acquire()
    if lock is None:
        return ALREADY_UP
    with lock:
        parts = all_parts(settings)
        clear_leftovers(folder)
        try:
            check_ports(parts)
        except PortTaken as error:
            folder.write(RunState(phase="failed", message=str(error)))
            return 1

        def publish(state: RunState) -> None:
            folder.write(state)
            # A closed terminal must not keep the parts from being stopped.
            with suppress(OSError):
                show(state)

        supervisor = Supervisor(parts, settings.home / "logs", publish)
        supervisor.state.settings = {name: _to_env(getattr(settings, name)) for name in _KNOWN}
        handle_signals(supervisor)
        try:
            supervisor.run()
        except StartFailed:
            return 1
    return 0


def down(settings: Settings, console: Console) -> int:
    """Stop everything, and whatever an earlier supervisor left."""
    folder = RunFolder(settings.home)
    pid = folder.supervisor()
    if pid is None:
        console.print("Not up.")
    else:
        began = time.monotonic()
        progress = Progress(console, folder.read())
        processes.kill([pid], signal.SIGTERM)
        if not folder.wait_until_free(SHUTDOWN_TIMEOUT, lambda: progress.show(folder.read())):
            processes.kill([pid])
            folder.wait_until_free(SHUTDOWN_TIMEOUT)
        console.print(f"Down after {time.monotonic() - began:.1f} s.", highlight=False)
    lock = folder.acquire()
    if lock is not None:
        with lock:
            clear_leftovers(folder)
    return 0


@contextmanager
def database(settings: Settings) -> Iterator[None]:
    """Have the database running: the one that is up, or one of our own for the while."""
    server = embedded_postgres(settings)
    lock = None if server is None else RunFolder(settings.home).acquire()
    if server is None or lock is None:
        yield
        return
    with lock:
        clear_leftovers(RunFolder(settings.home))
        server.start()
        try:
            yield
        finally:
            server.stop()


def clear_leftovers(folder: RunFolder) -> None:
    """End what a killed supervisor could not stop."""
    state = folder.read()
    for part in reversed(list(state.parts.values())):
        if part.pid:
            number = signal.Signals(part.stop_signal)
            processes.end_session(part.pid, part.created, number, timeout=10.0)
    folder.write(RunState())


def check_ports(parts: Iterable[Part]) -> None:
    """Refuse to start while ports are taken.

    Raises:
        PortTaken: names all of them.
    """
    taken: list[str] = []
    instead: list[str] = []
    seen: dict[int, str] = {}
    for part in parts:
        for host, port, setting in part.ports:
            problem = f"{part.name} and {seen[port]} both want it" if port in seen else None
            seen.setdefault(port, part.name)
            problem = problem or _problem(host, port)
            if problem is not None:
                taken.append(f"Port {port} on {host}, for {part.name}: {problem}.")
                free = next((n for n in range(port + 1, 65_536) if _is_free(host, n, seen)), None)
                instead.append(f"{setting}={free or 'another port'}")
                if free:
                    seen[free] = part.name
    if taken:
        where = "Other ports, for settings.env in the home or for the environment:"
        raise PortTaken("\n".join([*taken, where, *instead]))


def _is_free(host: str, port: int, seen: Container[int]) -> bool:
    return port not in seen and _problem(host, port) is None


def _problem(host: str, port: int) -> str | None:
    """Why a server cannot listen at a port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def _spawn_supervisor(settings: Settings) -> subprocess.Popen[bytes]:
    log = settings.home / "logs" / "supervisor.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "automations.launcher", "_supervise"],
            env=parts_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def _wait_until_up(
    settings: Settings, console: Console, supervisor: subprocess.Popen[bytes] | None
) -> int:
    """Show a detached supervisor's progress until everything works or it gives up."""
    folder = RunFolder(settings.home)
    progress = Progress(console)
    deadline = time.monotonic() + STARVED_FACTOR * START_TIMEOUT + 60
    pid = None if supervisor is None else supervisor.pid
    while time.monotonic() < deadline:
        state = folder.read()
        code = None if supervisor is None else supervisor.poll()
        if code == ALREADY_UP:
            supervisor, pid = None, None
        elif code is not None or (supervisor is None and folder.supervisor() is None):
            progress.show(state)
            break
        elif state.phase == "running" and state.pid == (pid or state.pid):
            if supervisor is not None:
                progress.show(state)
            show_summary(console, settings, None if supervisor is None else state.seconds)
            return 0
        elif state.phase == "starting" and state.pid == (pid or state.pid):
            progress.show(state)
        time.sleep(0.1)
    _explain_failure(settings, console)
    return 1


def _explain_failure(settings: Settings, console: Console) -> None:
    state = RunFolder(settings.home).read()
    message = state.message or "The supervisor ended."
    console.print(f"[bold red]Not up:[/] {message}", highlight=False, soft_wrap=True)
    logs = Path(settings.home) / "logs"
    if state.failed_part:
        show_tail(console, logs / f"{state.failed_part}.log")
    elif not state.message:
        show_tail(console, logs / "supervisor.log")


def is_up(settings: Settings) -> bool:
    """Whether a supervisor runs in this home and has everything started."""
    folder = RunFolder(settings.home)
    return folder.supervisor() not in (None, os.getpid()) and folder.read().phase == "running"
