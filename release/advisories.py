"""What is known against the locked packages, by pip-audit, which asks the database of OSV."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PIP_AUDIT = "pip-audit==2.10.1"
_AWAY = ("ConnectionError", "Max retries exceeded", "Failed to fetch", "error sending request")


def ask(lock: Path) -> int:
    """Print what is found and return 1 for that; 0 with a word where nobody can be asked.

    It is run in an environment of its own: it needs another pip than the product has.
    """
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "tool", "run", PIP_AUDIT, "--requirement", str(lock), "--disable-pip"]
    options = ["--require-hashes", "--vulnerability-service=osv", "--progress-spinner=off"]
    try:
        done = subprocess.run([*command, *options], capture_output=True, text=True)
    except FileNotFoundError:
        print("Advisories: skipped; uv is not installed here.")
        return 0
    if done.returncode != 0 and any(message in done.stderr for message in _AWAY):
        print("Advisories: skipped; their source cannot be reached from here.")
        return 0
    print(done.stdout + done.stderr, end="")
    return 1 if done.returncode else 0
