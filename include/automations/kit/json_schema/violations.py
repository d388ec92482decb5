"""The violations of a schema by a value, and their messages."""

from __future__ import annotations

from dataclasses import dataclass

from automations.kit.values import JSON

Path = tuple[str | int, ...]

_MAX_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that a value is not.

    Args:
        expected: what the keyword wants.
        names: which members are missing or too many.
        causes: of an `anyOf`, why its first schema does not hold.
    """

    path: Path
    keyword: str
    expected: JSON
    message: str
    names: tuple[str, ...] = ()
    causes: tuple[Violation, ...] = ()

    def __str__(self) -> str:
        path = ".".join(map(str, self.path))
        return f"{path}: {self.message}" if path else self.message


def format_value(value: JSON) -> str:
    """A value in a message; lists and objects by their kind only."""
    if isinstance(value, list):
        return "the list" if value else "[]"
    if isinstance(value, dict):
        return "the object" if value else "{}"
    if isinstance(value, str):
        return repr(value if len(value) <= _MAX_SHOWN else value[:_MAX_SHOWN] + "…")
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value) if abs(value) < 10**_MAX_SHOWN else "the number"
