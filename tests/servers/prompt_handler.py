"""What the tests' own HTTP servers answer with."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from typing import Any


class PromptHandler(BaseHTTPRequestHandler):
    """Answers at once, and writes no log."""

    # A body that goes out after its headers would else wait for their receipt: 40 ms a request.
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
