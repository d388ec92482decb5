"""Captures the log lines of steps that run before Airflow has their tasks.

They are kept with the step, and are written into its task's log once there is one.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self

from automations.kit import common_clock

_MAX_LINES = 500
"""Of one step; what it says beyond is in the log of its process alone."""
_MAX_LINE = 4_000
_MAX_TEXT = 64_000
"""Characters of one step: many runs are shown by one request."""

_captured: ContextVar[CapturedLog | None] = ContextVar("captured", default=None)


class CapturedLog:
    """Keeps, within its ``with`` block, what this thread logs and what is said to it.

    Each line is when it was written, as ISO 8601, its level, who has written it and its text.
    """

    def __init__(self) -> None:
        self.lines: list[list[Any]] = []
        self._left = _MAX_TEXT
        self._token: Token[CapturedLog | None] | None = None

    def __enter__(self) -> Self:
        _listen()
        self._token = _captured.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _captured.reset(self._token)

    def say(self, level: int, text: str) -> None:
        """Keep a line of the step's own."""
        self.add(level, "automations.step", text)

    def add(self, level: int, logger: str, text: str) -> None:
        """Keep a line."""
        if len(self.lines) < _MAX_LINES and self._left > 0:
            now = common_clock.now().isoformat()
            name = logging.getLevelName(level).lower()
            beginning = text[: min(_MAX_LINE, self._left)]
            self._left -= len(beginning)
            self.lines.append([now, name, logger, beginning])


class _Listener(logging.Handler):
    """Gives what a thread logs to the block that it is in."""

    def emit(self, record: logging.LogRecord) -> None:
        if (captured := _captured.get()) is not None:
            captured.add(record.levelno, record.name, self.format(record))


_LISTENER = _Listener()


def _listen() -> None:
    root = logging.getLogger()
    if _LISTENER not in root.handlers:
        root.addHandler(_LISTENER)
