"""A whole release: what is checked, built twice, written, committed and marked."""

from __future__ import annotations

import subprocess
import tempfile
from datetime import date
from pathlib import Path

from release.build import build
from release.licences import licences
from release.lock import locked
from release.version import ReleaseError, check, write


def make(version: str, day: date, root: Path, into: Path) -> list[Path]:
    """Build a version of what is committed, twice; the files made, in a folder that was empty.

    Raises:
        ReleaseError: the version cannot follow, a licence is not allowed, two builds differ.
    """
    if into.exists() and any(into.iterdir()):
        raise ReleaseError(f"{into} is not empty")
    check(version, root)
    if refused := [
        licence.package
        for licence in licences(locked(root / "requirements-distributed.txt"))
        if not licence.is_allowed
    ]:
        raise ReleaseError(f"licences that are not allowed: {', '.join(refused)}")
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder) / "one", Path(folder) / "another"]
        for copy in copies:
            _copy(root, copy)
            write(version, day, copy)
        first_paths = build(copies[0], into, version, day)
        again = build(copies[1], Path(folder) / "again", version, day)
        differing = [
            first.name
            for first, other in zip(first_paths, again, strict=True)
            if first.read_bytes() != other.read_bytes()
        ]
    if differing:
        raise ReleaseError(f"built twice, these are not the same: {', '.join(differing)}")
    return first_paths


def see_committed(root: Path) -> None:
    """See that a checkout is what it has committed.

    Raises:
        ReleaseError: it has changes that are not committed.
    """
    if _git(root, "status", "--porcelain", "--untracked-files=no"):
        raise ReleaseError("there are changes that are not committed")


def publish(version: str, day: date, root: Path) -> None:
    """Write the version into the checkout, commit it and mark the commit; nothing is sent."""
    see_committed(root)
    files = write(version, day, root)
    _git(root, "add", *files)
    _git(root, "commit", "--quiet", "--message", f"Release {version}")
    _git(root, "tag", "--annotate", f"v{version}", "--message", f"Version {version}")


def _copy(root: Path, into: Path) -> None:
    """What is committed, and nothing else."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", "HEAD"],  # noqa: S607 -- the user's own git
        cwd=root,
        check=True,
        capture_output=True,
    )
    # By tar: what extracts safely here is not in every Python 3.11.
    into.mkdir(parents=True)
    subprocess.run(
        ["tar", "-x", "-C", into],  # noqa: S607 -- the user's own
        input=archive.stdout,
        check=True,
    )


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)  # noqa: S607
    if done.returncode != 0:
        raise ReleaseError(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout
