"""``./automations test``: the linters, then every test; or the tests that are asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import psutil

from automations.launcher.airflow_config import OVERRIDE
from automations.settings import ROOT

LINTERS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("lint-imports", "--no-cache"),
    ("mypy",),
)
END_TO_END = "tests/e2e"
CHAOS = "tests/chaos"
"""Faults of all kinds under mixed runs: a few minutes of them beside each change."""
FAST = ("tests/unit", "tests/db", "-m", "not slow", "--hypothesis-profile=quick")
"""What ``--fast`` runs, beside each change: neither Airflow nor a stack is started."""
MEASURED = ("tests/unit", "tests/db", "tests/api")
"""The tests that are to reach the code. The others go through it once more, in much of what is not
ours, and each line that is looked at while it is run takes half as long again."""
COVERAGE = ("--cov=include", "--cov-report=")
"""Of the whole run alone: a part of the tests reaches a part of the code. pytest prints the figure,
and fails below the floor that is in pyproject.toml."""
MAX_PROCESSES = 4
"""Each has a PostgreSQL of its own, and what its tests start comes on top."""
YIELDING = 15
"""Niceness of what is done beside the tests of the stack, which wait for it with limits; its own
tasks have five."""


def run_checks(arguments: Sequence[str]) -> int:
    """Run pytest with the arguments; without any, all there is to run. 0 when all pass.

    ``chaos`` as the first one is the whole form of that suite, ``--seed 7`` repeats a run of it.
    """
    at_once = (f"--numprocesses={_processes()}", "--dist=worksteal")
    if arguments and arguments[0] == "--fast":
        return _run(("pytest", *FAST, *at_once, *arguments[1:]))
    if arguments and arguments[0] == "chaos":
        return _run(("pytest", CHAOS, "--whole", "-s", *arguments[1:]))
    if arguments:
        return _run(("pytest", *arguments))
    stack = ("pytest", END_TO_END)
    chaos = ("pytest", CHAOS, "-s")
    measured = ("pytest", *MEASURED, *at_once, *COVERAGE)
    left_out = [f"--ignore={folder}" for folder in (*MEASURED, END_TO_END, CHAOS)]
    others = ("pytest", *left_out, *at_once)
    # Tests of the stack wait for it most of the time: meanwhile the machine does everything else.
    with tempfile.TemporaryFile() as output:
        beside = _start(stack, output)
        try:
            commands = (*LINTERS, measured, others)
            failed = [command for command in commands if _run(command, YIELDING) != 0]
        finally:
            ended = beside.wait()
        print("==>", *stack, flush=True)
        output.seek(0)
        shutil.copyfileobj(output, sys.stdout.buffer)
        sys.stdout.flush()
    if ended != 0:
        failed.append(stack)
    # Parts of its stack are killed and frozen: that is enough to wait for.
    if _run(chaos) != 0:
        failed.append(chaos)
    if failed:
        print("Failed:", ", ".join(" ".join(command) for command in failed), flush=True)
    return bool(failed)


def _processes() -> int:
    # A test waits a third of its time: for a server, for a process, for a limit to be over.
    return min((os.cpu_count() or 1) + 1, MAX_PROCESSES)


def _run(command: Sequence[str], niceness: int = 0) -> int:
    print("==>", *command, flush=True)
    with _start(command) as process:
        if niceness:
            psutil.Process(process.pid).nice(niceness)
        return process.wait()


def _start(command: Sequence[str], output: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    # The tests start homes of their own: nothing of the caller's home may reach them. And they
    # start hundreds of processes, each of which would compile all our modules, were that not kept.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_", OVERRIDE))
        and name not in ("AUTOMATIONS_HOME", "PYTHONDONTWRITEBYTECODE")
    }
    program = str(Path(sys.executable).with_name(command[0]))
    return subprocess.Popen(
        [program, *command[1:]], cwd=ROOT, env=environment, stdout=output, stderr=output
    )
