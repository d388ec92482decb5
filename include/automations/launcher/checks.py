"""``./automations test``: the linters, then every test; or the tests that are asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

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
FAST = ("tests/unit", "tests/db", "-m", "not slow")
"""What ``--fast`` runs, beside each change: neither Airflow nor a stack is started."""
COVERAGE = ("--cov=include", "--cov-report=")
"""Of the whole run alone: a part of the tests reaches a part of the code, and it takes time. pytest
prints the figure, and fails below the floor that is in pyproject.toml."""
MAX_PROCESSES = 4
"""Each has a PostgreSQL of its own, and what its tests start comes on top."""


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
    commands = (
        *LINTERS,
        ("pytest", f"--ignore={END_TO_END}", f"--ignore={CHAOS}", *at_once, *COVERAGE),
        # The stack that they share has the machine to itself.
        ("pytest", END_TO_END),
        ("pytest", CHAOS, "-s"),
    )
    failed = [" ".join(command) for command in commands if _run(command) != 0]
    if failed:
        print("Failed:", ", ".join(failed), flush=True)
    return bool(failed)


def _processes() -> int:
    return min(os.cpu_count() or 1, MAX_PROCESSES)


def _run(command: Sequence[str]) -> int:
    print("==>", *command, flush=True)
    # The tests start homes of their own: nothing of the caller's home may reach them. And they
    # start hundreds of processes, each of which would compile all our modules, were that not kept.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_", OVERRIDE))
        and name not in ("AUTOMATIONS_HOME", "PYTHONDONTWRITEBYTECODE")
    }
    program = str(Path(sys.executable).with_name(command[0]))
    return subprocess.run([program, *command[1:]], cwd=ROOT, env=environment).returncode
