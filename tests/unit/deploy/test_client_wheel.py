"""The client can be installed where the product is not."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from automations.settings import ROOT


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The wheel, built from a copy: a build leaves things beside its sources."""
    project = tmp_path / "project"
    shutil.copytree(
        ROOT / "include" / "automations_client",
        project,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*command, "--no-index", "--wheel-dir", str(tmp_path), str(project)], check=True)
    (built,) = tmp_path.glob("airflow_automations_client-*.whl")
    return built


@pytest.mark.slow
def test_its_wheel_holds_the_client_and_nothing_of_the_product(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        archive.extractall(tmp_path / "installed")
    assert {name.split("/")[0] for name in names} == {"automations_client"}
    assert "automations_client/py.typed" in names
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r});"
        "import automations_client as client;"
        "print(client.Client.__name__, 'automations' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("Client False", 0), done.stderr
