"""Engines of others, each in an environment of its own: what is not there is left out."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from automations.launcher.postgres import EmbeddedPostgres
from tests.bench.compare.shapes import Measure, Shape
from tests.bench.measuring import BenchError, end, plain_environment
from tests.free_ports import free_ports

_INSTALLING = 600.0
"""Seconds that an installation may take."""
_KINDS = ("chain", "burst")
_SCRIPTS = Path(__file__).parent / "foreign"


Install = Callable[[Path], list[str | Path]]
"""Installs an engine in a folder, and returns the command that runs its script."""


def from_pypi(package: str) -> Install:
    """The newest of a package of Python's, in an environment of its own, run by ``run_PACKAGE``."""

    def install(folder: Path) -> list[str | Path]:
        python = folder / "venv" / "bin" / "python"
        _run(folder, sys.executable, "-m", "venv", python.parents[1])
        _run(folder, python, "-m", "pip", "install", "--quiet", package)
        return [python, _SCRIPTS / f"run_{package}.py"]

    return install


def from_npm(name: str, *packages: str, overrides: Mapping[str, str] | None = None) -> Install:
    """The newest of some packages of Node's, in a folder of its own, run by ``run_NAME``.

    Args:
        overrides: versions of what they need, where they name one that npm does not have.
    """

    def install(folder: Path) -> list[str | Path]:
        if shutil.which("npm") is None:
            raise BenchError("there is no npm")
        (folder / "package.json").write_text(json.dumps({"overrides": overrides or {}}))
        # Its modules are looked for beside the script.
        script = shutil.copy(_SCRIPTS / f"run_{name}.mjs", folder)
        _run(folder, "npm", "install", "--no-audit", "--no-fund", "--no-save", *packages)
        return ["node", script]

    return install


def _run(folder: Path, *command: str | Path) -> None:
    packages = command[-1]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_INSTALLING, check=False
        )
    except subprocess.TimeoutExpired as slow:
        raise BenchError(f"{packages} takes too long to install") from slow
    if done.returncode != 0:
        raise BenchError(f"{packages} cannot be installed: {done.stderr[-300:]}")


class Peer:
    """An engine that a script runs, which is asked by lines of JSON.

    Its argument is the numbers of steps that it will be asked for. It is told on its standard input
    how many steps and runs, and answers with the seconds that it took, after a first line that says
    that it is ready.

    Args:
        database: whether it has a PostgreSQL server, as ours has; else it has its default.
    """

    def __init__(self, name: str, install: Install, folder: Path, *, database: bool) -> None:
        self.name = name
        self._install = install
        self._folder = folder
        [port] = free_ports(1)
        self._postgres = (
            EmbeddedPostgres(folder / "postgres", port, secrets.token_hex(8)) if database else None
        )
        self._process: subprocess.Popen[bytes] | None = None

    def up(self, shapes: Sequence[Shape]) -> None:
        self._folder.mkdir()
        os.chmod(self._folder, 0o711)
        sizes = sorted({shape.size for shape in shapes if shape.kind in _KINDS})
        if not sizes:
            raise BenchError(f"only {' and '.join(_KINDS)} are measured on it")
        command = [*self._install(self._folder), json.dumps(sizes)]
        environment = {**plain_environment(), "HOME": str(self._folder), "PYTHONPATH": ""}
        if self._postgres is not None:
            self._postgres.start()
            environment["DATABASE"] = self._postgres.dsn("postgres").replace("+psycopg2", "")
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=environment,
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._answer()

    def down(self) -> None:
        if self._process is not None:
            end([self._process])
        if self._postgres is not None:
            with suppress(OSError):
                self._postgres.stop()

    def pids(self) -> list[int]:
        assert self._process is not None
        found = [self._process.pid]
        if self._postgres is not None and self._postgres._process is not None:
            found.append(self._postgres._process.pid)
        return found

    def measure(self, shape: Shape) -> Measure | None:
        return partial(self._ask, shape) if shape.kind in _KINDS else None

    def _ask(self, shape: Shape) -> float:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([shape.size, shape.runs]).encode() + b"\n")
        self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        # What it prints itself is not meant for us.
        for line in self._process.stdout:
            if line.startswith(b"bench: "):
                return line.removeprefix(b"bench: ").decode().strip()
        raise BenchError((self._folder / "log").read_text(errors="replace")[-500:])
