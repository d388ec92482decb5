"""What CONTRIBUTING.md tells to do is done, word for word, in a copy of the tree."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from automations.settings import ROOT

LEFT_OUT = shutil.ignore_patterns(
    *(line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()), ".git"
)
OF_EVERY_TYPE = (
    "tests/airflow/test_operators.py",
    "tests/api/test_documentation.py",
    "tests/api/test_contract.py",
    "tests/db/test_every_type.py",
)
"""The other tests that go through every step type."""


class Copy:
    """A copy of the tree in which somebody works."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.root,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(
                    str(folder)
                    for folder in (self.root / "include", self.root / "plugins", self.root)
                ),
                "PYTEST_ADDOPTS": "-p no:cacheprovider",
            },
            capture_output=True,
            text=True,
            timeout=1_800,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    shutil.copytree(ROOT, tmp_path / "copy", ignore=LEFT_OUT, symlinks=True)
    return Copy(tmp_path / "copy")


def section(title: str) -> str:
    _, _, rest = (ROOT / "CONTRIBUTING.md").read_text().partition(f"\n## {title}\n")
    return rest.partition("\n## ")[0]


def files(text: str) -> dict[str, str]:
    """The Python that a text shows, by the path that is named last before it."""
    pieces = re.split(r"```python\n(.*?)```", text, flags=re.DOTALL)
    return {
        re.findall(r"`([\w/]+\.py)`", before)[-1]: code
        for before, code in zip(pieces[::2], pieces[1::2], strict=False)
    }


def commands(text: str) -> list[list[str]]:
    shown = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    return [shlex.split(line) for line in shown.splitlines()]


@pytest.mark.slow
def test_a_step_type_is_one_module_and_one_test(copy: Copy) -> None:
    told = section("Add a step type")
    written = files(told)
    assert set(written) == {"include/automations/steps/shout.py", "tests/unit/test_shout.py"}
    for path, content in written.items():
        (copy.root / path).write_text(content)
    copy.run("ruff", "check", *written)
    copy.run("ruff", "format", "--check", *written)
    told_commands = commands(told)
    assert told_commands
    for launcher, *arguments in told_commands:
        assert launcher == "./automations"
        # What the launcher hands over to, once it has installed the requirements.
        copy.run("automations.launcher", *arguments)
    copy.run("pytest", "-q", *OF_EVERY_TYPE, "-k", "shout or committed or seventeen")
