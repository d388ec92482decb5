"""What the documentation tells a reader to type, typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import requests

from tests.e2e.conftest import ROOT, Stack

DOCS = ROOT / "docs"


def blocks(page: str, language: str) -> list[str]:
    """The examples of a page in a language."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def commands(page: str) -> list[list[str]]:
    """What is typed after ``$ ./automations`` on a page, without what is said of it."""
    typed = re.findall(
        r"^\$ \./automations (.*)$", "\n".join(blocks(page, "console")), re.MULTILINE
    )
    return [line.split("#")[0].split() for line in typed]


def test_the_example_of_the_client_runs_an_automation_to_its_end(
    stack: Stack, tmp_path: Path
) -> None:
    (example,) = blocks("client.md", "python")
    key = (stack.home / "owner.key").read_text().strip()
    placed = example.replace("http://127.0.0.1:8800", stack.bridge).replace("sk_…", key)
    assert stack.bridge in placed
    assert key in placed
    script = tmp_path / "example.py"
    script.write_text(placed)
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "include")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.stdout, done.returncode) == ("COMPLETED ['Mail']\n", 0), done.stderr
    assert any(mail["subject"] == "Hello" for mail in stack.mails("ada@example.com"))


def test_definitions_go_out_to_a_file_and_come_back_as_they_were(
    stack: Stack, tmp_path: Path
) -> None:
    (example, *_) = blocks("definition-files.md", "yaml")
    file = tmp_path / "automations.yaml"
    file.write_text(example)
    first = stack.command("apply", str(file))
    assert first.returncode == 0, first.stdout + first.stderr
    export, *others = commands("definition-files.md")
    assert export == ["export", ">", "automations.yaml"]
    file.write_text(stack.command("export").stdout)
    for command in others:
        done = stack.command(*(str(file) if word == file.name else word for word in command))
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_second_workspace_sees_nothing_of_the_first(stack: Stack) -> None:
    (command,) = [command for command in commands("deployment.md") if command[0] == "key"]
    done = stack.command(*command)
    assert done.returncode == 0, done.stderr
    headers = {"Authorization": f"Bearer {done.stdout.strip().splitlines()[-1]}"}
    shown = requests.get(f"{stack.bridge}/api/workflows", headers=headers, timeout=30)
    assert (shown.status_code, shown.json()) == (200, [])
    member = {"name": "Sally", "email": "sally@example.com", "role": "MEMBER"}
    invited = requests.post(f"{stack.bridge}/api/members", json=member, headers=headers, timeout=30)
    assert invited.status_code == 201, invited.text
