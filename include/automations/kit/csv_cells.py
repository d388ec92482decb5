"""Cells of CSV, where an empty text in quotes is another thing than no value between separators.

PostgreSQL and pandas write them so, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_IN_QUOTES = re.compile(r'[",\r\n]')


class _EmptyText(str):
    """Equal to what stands for no value, and known by being itself."""

    __slots__ = ()


EMPTY_TEXT: Final = _EmptyText()
"""A cell that is an empty text."""


def is_filled(line: Iterable[str]) -> bool:
    """Whether any cell of a line is a text, even an empty one."""
    return any(cell != "" or cell is EMPTY_TEXT for cell in line)


def line_of(cells: Iterable[str]) -> str:
    """A line of CSV."""
    return f"{','.join(map(_written, cells))}\r\n"


def _written(cell: str) -> str:
    if cell is EMPTY_TEXT:
        return '""'
    if _IN_QUOTES.search(cell):
        return f'"{cell.replace(chr(34), chr(34) * 2)}"'
    return cell
