"""Puts what was measured into a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_DOCS = Path(__file__).resolve().parents[2] / "docs"
RELIABILITY = _DOCS / "reliability.md"
OPERATIONS = _DOCS / "operations.md"


def put(page: Path, begin: str, lines: Iterable[str], end: str) -> None:
    """Have lines stand between two that are there."""
    before, _, rest = page.read_text().partition(f"{begin}\n")
    _, _, after = rest.partition(f"{end}\n")
    page.write_text(before + "".join(f"{line}\n" for line in (begin, *lines, end)) + after)


def row(*cells: object) -> str:
    """A line of a table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"
