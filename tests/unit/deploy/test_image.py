"""The image is well made, and what is copied into it is all that the product needs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from automations.settings import ROOT

TEXT = (ROOT / "Dockerfile").read_text()
COPIED = [
    (*sources.split(), target)
    for sources, target in re.findall(r"^COPY (?!--)(.+) (\S+)$", TEXT, flags=re.MULTILINE)
]


def test_it_is_made_as_is_advised() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)


def test_its_bases_are_pinned_and_no_stage_ends_as_root() -> None:
    bases = re.findall(r"^FROM (\S+)", TEXT, flags=re.MULTILINE)
    assert bases
    assert [base for base in bases if not re.fullmatch(r"[\w/]+:\d+\.\d+\.\d+-[\w.-]+", base)] == []
    for stage in ("product", "airflow", "proxy"):
        (body,) = re.findall(rf" AS {stage}\n(.*?)(?=\nFROM|\Z)", TEXT, flags=re.DOTALL)
        (user,) = re.findall(r"^USER (\S+)", body, flags=re.MULTILINE)
        assert int(user) > 10_000


def test_what_is_copied_is_not_ignored() -> None:
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    assert {source for copied in COPIED for source in copied[:-1]} == kept


@pytest.mark.slow
def test_the_product_runs_by_what_is_copied(tmp_path: Path) -> None:
    for *sources, target in COPIED:
        for source in sources:
            if target.startswith("/app/") and (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, tmp_path / target.removeprefix("/app/"))
            elif target == "/app/":
                shutil.copy(ROOT / source, tmp_path)
    path = ":".join(str(tmp_path / name) for name in ("include", "plugins", "."))
    environment = {"PYTHONPATH": path, "AUTOMATIONS_HOME": str(tmp_path / "home"), "PATH": "/bin"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words]
        options: dict[str, Any] = {"capture_output": True, "text": True, "cwd": tmp_path}
        return subprocess.run(command, env=environment, **options)

    assert run("-m", "automations.launcher", "status", "--json").returncode == 1  # all are down
    code = "import api_bridge.app, automations_airflow.plugin; print(api_bridge.app.__file__)"
    done = run("-c", code)
    assert done.stdout.strip().endswith(str(tmp_path / "api_bridge" / "app.py")), done.stderr
