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
    "tests/api/openapi/test_documentation.py",
    "tests/api/openapi/test_contract.py",
    "tests/db/execution/test_every_type.py",
)
"""The other tests that go through every step type."""
LINES = (
    ("api_bridge/app.py", "    step_tests,\n", "    step_types,\n"),
    ("api_bridge/console/routes/__init__.py", "    sign_in,\n", "    step_types,\n"),
    ("api_bridge/console/routes/__init__.py", "    sign_in.router,\n", "    step_types.router,\n"),
    (
        "api_bridge/console/texts.py",
        "_TEXTS: Mapping[str, str] = {\n",
        '    "step_types.title": "Types of steps",\n',
    ),
    (
        "tests/api/test_roles.py",
        'NEEDED = """\n',
        "GET /api/step-types VIEWER workflows:read\n"
        "GET /console/step-types VIEWER workflows:read\n",
    ),
    (
        "tests/console/sample.py",
        '        "/console/notifications",\n',
        '        "/console/step-types",\n',
    ),
    (
        "tests/console/screenshots.py",
        '        "notifications": "/console/notifications",\n',
        '        "step-types": "/console/step-types",\n',
    ),
)
"""Where an endpoint and a page are listed: the file, a line in it, and what goes behind it."""
OF_EVERY_ROUTE = (
    "test_the_table_names_every_route",
    "test_every_page_is_among_those",
    "test_every_page_is_shown_to_every_role and VIEWER",
    "step_types",
)


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
    """The code that a text shows, by the path that is named last before it."""
    pieces = re.split(r"```(?:python|html)\n(.*?)```", text, flags=re.DOTALL)
    return {
        re.findall(r"`([\w/]+\.(?:py|html))`", before)[-1]: code
        for before, code in zip(pieces[::2], pieces[1::2], strict=False)
    }


def commands(text: str) -> list[list[str]]:
    shown = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    return [shlex.split(line) for line in shown.splitlines()]


@pytest.mark.slow
def test_a_step_type_is_one_module_and_one_test(copy: Copy) -> None:
    told = section("Add a step type")
    written = files(told)
    assert set(written) == {"include/automations/steps/shout.py", "tests/unit/steps/test_shout.py"}
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


@pytest.mark.slow
def test_an_endpoint_and_a_page_are_a_module_each_and_a_few_lines(copy: Copy) -> None:
    written = files(section("Add an endpoint")) | files(section("Add a console page"))
    assert set(written) == {
        "api_bridge/routes/step_types.py",
        "tests/api/workflows/test_step_types.py",
        "api_bridge/console/routes/step_types.py",
        "api_bridge/console/templates/step_types.html",
    }
    for path, content in written.items():
        (copy.root / path).write_text(content)
    for path, line, added in LINES:
        before = (copy.root / path).read_text()
        assert line in before, path
        (copy.root / path).write_text(before.replace(line, line + added))
    copy.run("ruff", "check", "api_bridge", "tests/api")
    copy.run("ruff", "format", "--check", *(path for path in written if path.endswith(".py")))
    copy.run("automations.launcher", "docs")
    copy.run(
        *("pytest", "-q", "tests/api/workflows/test_step_types.py", "tests/api/test_roles.py"),
        *("tests/console/test_pages.py", "tests/api/openapi/test_documentation.py"),
        *("-k", " or ".join(f"({test})" for test in OF_EVERY_ROUTE)),
    )
