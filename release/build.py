"""What is published of a version: wheels and source, the files for containers, the bill, digests.

The same sources and day give the same bytes, wherever they are built with the locked tools: times
are the day's beginning, owners nobody's, names in order.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
from datetime import UTC, date, datetime, time
from pathlib import Path

from release.sbom import sbom
from release.version import ReleaseError

FOR_CONTAINERS = (
    *(".dockerignore", "Dockerfile", "docker-compose.yaml", "deploy", "LICENSE", "NOTICE"),
    *("README.md", "api_bridge", "dags", "include", "plugins", "pyproject.toml"),
    *("requirements.txt", "requirements-debian.txt", "requirements-uv.txt"),
)
"""All that ``docker compose build`` reads."""


def build(sources: Path, into: Path, version: str, day: date) -> list[Path]:
    """Build everything of a version from a clean copy of its sources; the files made, by name.

    Raises:
        ReleaseError: a builder failed; its last words.
    """
    epoch = int(datetime.combine(day, time(), UTC).timestamp())
    into.mkdir(parents=True, exist_ok=True)
    _run_builder(sources, into, epoch, "--sdist", "--wheel")
    _run_builder(sources / "include" / "automations_client", into, epoch, "--wheel")
    for archive in into.glob("*.tar.gz"):
        # setuptools writes the present time and user into it.
        _pack(_members(archive), archive, epoch)
    name = f"airflow-automations-{version}"
    files = {
        f"{name}/{path.relative_to(sources)}": (path.read_bytes(), path.stat().st_mode & 0o111 != 0)
        for folder_name in FOR_CONTAINERS
        for path in _files(sources / folder_name)
    }
    _pack(files, into / f"{name}-containers.tar.gz", epoch)
    (into / f"{name}.cdx.json").write_text(sbom(sources / "requirements.txt", version))
    paths = sorted(into.iterdir())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths]
    (into / "SHA256SUMS").write_text("".join(lines))
    return [*paths, into / "SHA256SUMS"]


def _run_builder(sources: Path, into: Path, epoch: int, *options: str) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", str(into)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "TZ": "UTC"}
    # Modules of the checkout are not to be found in place of the sources'.
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [*command, str(sources)], env=environment, cwd=sources, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise ReleaseError(
            f"{sources.name} could not be built:\n{(done.stdout + done.stderr)[-2000:]}"
        )


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    ignored = ("__pycache__", ".egg-info", "build")
    return [
        path_inside
        for path_inside in sorted(path.rglob("*"))
        if path_inside.is_file() and not any(part.endswith(ignored) for part in path_inside.parts)
    ]


def _members(archive: Path) -> dict[str, tuple[bytes, bool]]:
    """Each file of an archive, and whether it may be executed."""
    members = {}
    with tarfile.open(archive) as opened:
        for member in opened.getmembers():
            if (file := opened.extractfile(member)) is not None:
                members[member.name] = (file.read(), member.mode & 0o111 != 0)
    return members


def _pack(files: dict[str, tuple[bytes, bool]], archive: Path, epoch: int) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as opened:
        for name, (content, is_program) in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), epoch
            member.mode = 0o755 if is_program else 0o644
            opened.addfile(member, io.BytesIO(content))
    archive.write_bytes(gzip.compress(packed.getvalue(), mtime=epoch))
