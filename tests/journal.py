"""The logs of this process as its operator reads them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

from automations.kit import logs


class Journal:
    """Lines that were logged while it was kept."""

    def __init__(self) -> None:
        self.stream = StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, logger: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["logger"] == logger]


@contextmanager
def kept(level: str = "INFO", secrets: tuple[str, ...] = ()) -> Iterator[Journal]:
    """Keep a journal as the bridge does, and give the logs back to pytest after it."""
    root = logging.getLogger()
    before, threshold = list(root.handlers), root.level
    journal = Journal()
    logs.configure("json", level, secrets, journal.stream)
    try:
        yield journal
    finally:
        root.handlers[:] = before
        root.setLevel(threshold)
