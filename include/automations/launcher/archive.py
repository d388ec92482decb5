"""The backup file: a tar of dumps and secrets, with a manifest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FORMAT = 1
MANIFEST = "manifest.json"


class BackupError(Exception):
    """A backup cannot be made or restored; the text says why, and what to do."""


@dataclass(frozen=True)
class Manifest:
    """What an archive holds.

    Args:
        revisions: of the databases' schemas, by database.
        sha256: of the files, by name.
    """

    made_at: str
    airflow: str
    postgres: str
    revisions: Mapping[str, str | None]
    sha256: Mapping[str, str]
    format: int = FORMAT
    product: str = "airflow-automations"


def pack(target: Path, folder: Path, manifest: Manifest) -> None:
    """Write the files of a folder into one that only its owner may read, whole or not at all."""
    temporary = target.with_name(target.name + ".new")
    temporary.unlink(missing_ok=True)
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1))
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w") as tar:
                for name in (MANIFEST, *manifest.sha256):
                    tar.add(folder / name, name)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        # It holds the secrets.
        temporary.unlink()
        raise


def unpack(source: Path, folder: Path) -> Manifest:
    """Take an archive apart, after having looked whether it is whole and is ours.

    Raises:
        BackupError: it is not.
    """
    try:
        with tarfile.open(source, "r:") as tar:
            for member in tar:
                # Nothing but plain files of plain names: an archive may come from anywhere.
                if not member.isfile() or Path(member.name).name != member.name:
                    raise BackupError(f"{source} holds {member.name!r}, which no backup does.")
                content = tar.extractfile(member)
                assert content is not None
                with (folder / member.name).open("xb") as file:
                    shutil.copyfileobj(content, file)
        header = json.loads((folder / MANIFEST).read_text())
        if header["format"] != FORMAT:
            raise BackupError(
                f"{source} has format {header['format']}, and this version reads {FORMAT}."
            )
        manifest = Manifest(**header)
    except (tarfile.TarError, OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{source} is no backup of this product: {error}") from error
    for name, expected in manifest.sha256.items():
        if not (folder / name).exists() or sha256(folder / name) != expected:
            raise BackupError(f"{source} is damaged: {name} is not what was saved.")
    return manifest


def sha256(path: Path) -> str:
    """The hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
