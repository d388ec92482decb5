"""The locked packages: what ``requirements.txt`` or another lock says, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Locked:
    """One package: its canonical name, version, and the SHA-256 of each of its files."""

    name: str
    version: str
    hashes: tuple[str, ...]
    marker: str | None
    """Where it is installed, as PEP 508 says it; None is everywhere."""
    is_here: bool
    """Whether that is the case where this runs."""


def locked(file: Path) -> Iterator[Locked]:
    """The packages of a lock, in its order.

    Raises:
        ValueError: names a package that is not pinned to one version, or without hashes.
    """
    text = file.read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        requirement = Requirement(line.split("--hash", 1)[0].strip())
        pins = [
            specifier.version for specifier in requirement.specifier if specifier.operator == "=="
        ]
        hashes = tuple(sorted(_HASH.findall(line)))
        if len(pins) != 1 or not hashes:
            raise ValueError(f"{file.name}: {requirement.name} is not pinned with hashes")
        marker = requirement.marker
        yield Locked(
            canonicalize_name(requirement.name),
            pins[0],
            hashes,
            None if marker is None else str(marker),
            marker is None or marker.evaluate(),
        )
