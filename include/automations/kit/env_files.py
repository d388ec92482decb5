"""Files of lines ``NAME=value``: each value as it is written, each name once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import Original, parse_stream


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What a file says.

    Args:
        lines: on which each name is.
        faults: what cannot be read, with its place.
    """

    values: Mapping[str, str]
    lines: Mapping[str, int]
    faults: Sequence[str]


def read(path: Path) -> EnvFile:
    """What a file says; nothing if there is none.

    Unlike a shell, nothing is put in for ``${NAME}``: a password may have it.
    """
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    faults: list[str] = []
    if not path.exists():
        return EnvFile(values, lines, faults)
    try:
        with path.open(encoding="utf-8-sig") as file:
            bindings = list(parse_stream(file))
    except UnicodeDecodeError:
        return EnvFile(values, lines, [f"{path}: is not UTF-8"])
    except OSError as error:
        return EnvFile(values, lines, [f"{path}: cannot be read: {error.strerror}"])
    for binding in bindings:
        name, line = binding.key, _line(binding.original)
        if binding.error or (name is not None and binding.value is None):
            faults.append(f"{path}, line {line}: is not NAME=value")
        elif name in lines:
            faults.append(f"{path}, line {line}: {name} is set in line {lines[name]} already")
        elif name is not None:
            values[name], lines[name] = binding.value or "", line
    return EnvFile(values, lines, faults)


def _line(original: Original) -> int:
    """The line of what is written, behind empty ones that are counted to it."""
    empty = len(original.string) - len(original.string.lstrip())
    return original.line + original.string.count("\n", 0, empty)
