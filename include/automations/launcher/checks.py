"""``./automations test``: the linters, then every test; or the tests that are asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from automations.launcher.airflow_config import OVERRIDE
from automations.settings import ROOT

LINTERS = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",))


def run_checks(arguments: Sequence[str]) -> int:
    """Run pytest with the arguments; without any, the linters before it. 0 when all pass."""
    failed = []
    for linter in () if arguments else LINTERS:
        print("==>", *linter, flush=True)
        if _run(linter) != 0:
            failed.append(" ".join(linter))
    print("==> pytest", *arguments, flush=True)
    code = _run(("pytest", *arguments))
    if failed:
        print("Failed:", ", ".join(failed), flush=True)
    return code or bool(failed)


def _run(command: Sequence[str]) -> int:
    # The tests start homes of their own: nothing of the caller's home may reach them.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_", OVERRIDE)) and name != "AUTOMATIONS_HOME"
    }
    module = [sys.executable, "-m", *command]
    return subprocess.run(module, cwd=ROOT, env=environment).returncode
