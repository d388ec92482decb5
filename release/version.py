"""The product's version: pyproject.toml says it; a release writes it wherever else it stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

PLACES = {
    "pyproject.toml": r'^version = "(.+)"$',
    "include/automations_client/pyproject.toml": r'^version = "(.+)"$',
    "api_bridge/app.py": r'^ +version="(.+)",$',
    "docs/openapi.json": r'^  "version": "(.+)"$',
    "docker-compose.yaml": r"^ +image: automations(?:-proxy)?:(.+)$",
}
"""Where it stands: one line or several, each with the version in a group."""
_NUMBERS = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_UNRELEASED = re.compile(r"^## \[[^\]]+\] - Unreleased$|^## \[Unreleased\]$", re.MULTILINE)


class ReleaseError(Exception):
    """A release that cannot be made, in words."""


def version(root: Path) -> str:
    """The version of the sources in a folder."""
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


def stands(root: Path) -> Iterator[tuple[str, str]]:
    """Each file and each version that stands in it."""
    for name, pattern in PLACES.items():
        for number in re.findall(pattern, (root / name).read_text(), flags=re.MULTILINE):
            yield name, number


def check(new_version: str, root: Path) -> None:
    """See that a version may follow that of the sources.

    Raises:
        ReleaseError: it is no version, or an earlier one, or nothing is written of it.
    """
    if not (numbers := _NUMBERS.fullmatch(new_version)):
        raise ReleaseError(f"{new_version} is no version such as 1.2.3")
    is_now = _NUMBERS.fullmatch(version(root))
    assert is_now is not None
    if tuple(map(int, numbers.groups())) < tuple(map(int, is_now.groups())):
        raise ReleaseError(f"{new_version} is before {is_now[0]}, which the sources have")
    text = (root / "CHANGELOG.md").read_text()
    if f"## [{new_version}] - " in _UNRELEASED.sub("", text):
        raise ReleaseError(f"{new_version} was released: CHANGELOG.md has a day for it")
    if len(_UNRELEASED.findall(text)) != 1:
        raise ReleaseError("CHANGELOG.md must have one heading that is Unreleased")


def write(new_version: str, day: date, root: Path) -> list[str]:
    """Put a version wherever it stands, and its day in the changelog; the files that differ."""
    for name, pattern in PLACES.items():
        path = root / name
        path.write_text(
            re.sub(
                pattern,
                lambda match: match[0].replace(match[1], new_version),
                path.read_text(),
                flags=re.MULTILINE,
            )
        )
    path = root / "CHANGELOG.md"
    path.write_text(_UNRELEASED.sub(f"## [{new_version}] - {day.isoformat()}", path.read_text()))
    return [*PLACES, "CHANGELOG.md"]
