"""A version is made by one command, the same each time, and only of what may follow."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import zipfile
from datetime import date
from pathlib import Path

import pytest

from automations.settings import ROOT
from release.releasing import make, publish
from release.version import PLACES, ReleaseError, check, stands, version, write

DAY = date(2031, 2, 3)
CHANGELOG = "# Changelog\n\n## [2.0.0] - Unreleased\n\n* New.\n\n## [1.0.0] - 2030-01-01\n"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """What a version stands in, of version 1.0.0 and on the way to the next one."""
    for name in PLACES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "CHANGELOG.md").write_text("## [Unreleased]\n")
    write("1.0.0", DAY, tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def test_one_version_stands_everywhere() -> None:
    assert {name for name, _ in stands(ROOT)} == set(PLACES)
    assert {found for _, found in stands(ROOT)} == {version(ROOT)}


def test_a_release_writes_its_version_everywhere_and_its_day_in_the_changelog(
    sources: Path,
) -> None:
    before = {name: (sources / name).read_text() for name in PLACES}
    check("2.0.0", sources)
    write("2.0.0", DAY, sources)
    assert {found for _, found in stands(sources)} == {"2.0.0"}
    for name, text in before.items():
        assert (sources / name).read_text() == text.replace("1.0.0", "2.0.0")
    assert (sources / "CHANGELOG.md").read_text() == CHANGELOG.replace("Unreleased", "2031-02-03")


@pytest.mark.parametrize("wanted", ["0.9.9", "1.0.0", "1.0", "v2.0.0", "02.0.0"])
def test_a_version_that_cannot_follow_is_refused(sources: Path, wanted: str) -> None:
    with pytest.raises(ReleaseError):
        check(wanted, sources)


def test_a_changelog_that_says_nothing_new_is_refused(sources: Path) -> None:
    (sources / "CHANGELOG.md").write_text("## [1.0.0] - 2030-01-01\n")
    with pytest.raises(ReleaseError, match="one heading that is Unreleased"):
        check("2.0.0", sources)


@pytest.mark.slow
def test_what_is_built_twice_is_the_same_and_whole(tmp_path: Path) -> None:
    made = {path.name: path for path in make("99.0.0", DAY, ROOT, tmp_path / "dist")}
    assert set(made) == {
        "airflow_automations-99.0.0-py3-none-any.whl",
        "airflow_automations-99.0.0.tar.gz",
        "airflow_automations_client-99.0.0-py3-none-any.whl",
        "airflow-automations-99.0.0-containers.tar.gz",
        "airflow-automations-99.0.0.cdx.json",
        "SHA256SUMS",
    }
    sums = dict(line.split()[::-1] for line in made["SHA256SUMS"].read_text().splitlines())
    assert sums == {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in made.items()
        if name != "SHA256SUMS"
    }
    with zipfile.ZipFile(made["airflow_automations-99.0.0-py3-none-any.whl"]) as wheel:
        assert "automations/launcher/cli.py" in wheel.namelist()
        assert not [name for name in wheel.namelist() if name.startswith(("release/", "tests/"))]
    with tarfile.open(made["airflow-automations-99.0.0-containers.tar.gz"]) as containers:
        root = "airflow-automations-99.0.0"
        compose = containers.extractfile(f"{root}/docker-compose.yaml")
        assert compose is not None
        assert b"image: automations:99.0.0" in compose.read()
        assert containers.getmember(f"{root}/deploy/secrets.sh").mode & 0o111


@pytest.mark.slow
def test_a_release_is_committed_and_marked(tmp_path: Path) -> None:
    clone = tmp_path / "clone"

    def git(*words: str) -> str:
        command = ["git", "-C", str(clone), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{ROOT}", clone], check=True)
    git("config", "user.name", "Somebody")
    git("config", "user.email", "somebody@example.com")
    publish("99.0.0", DAY, clone)
    assert git("describe", "--tags", "HEAD").strip() == "v99.0.0"
    assert set(git("show", "--name-only", "--format=").split()) == {*PLACES, "CHANGELOG.md"}
    (clone / "README.md").write_text("changed")
    with pytest.raises(ReleaseError, match="not committed"):
        publish("99.1.0", DAY, clone)
