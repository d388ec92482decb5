"""An Airflow that answers as it is told to."""

from __future__ import annotations

import json
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers.prompt_handler import PromptHandler


class Airflow(ThreadingHTTPServer):
    """Answers by method and path, to the newest token only, and notes what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tokens = 0
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, dict[str, list[str]], Any]] = []


class Handler(PromptHandler):
    protocol_version = "HTTP/1.1"
    server: Airflow

    def _handle(self) -> None:
        address = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.loads(raw) if raw else None
        if address.path == "/auth/token":
            self.server.tokens += 1
            self._send(201, {"access_token": f"token-{self.server.tokens}"})
        elif self.headers["authorization"] != f"Bearer token-{self.server.tokens}":
            self._send(401, {"detail": "Invalid"})
        else:
            path = address.path.removeprefix("/api/v2")
            self.server.asked.append((self.command, path, parse_qs(address.query), body))
            self._send(*self.server.answers.get((self.command, path), (404, {"detail": "no"})))

    do_GET = do_POST = do_PATCH = do_DELETE = _handle

    def _send(self, status: int, body: Any) -> None:
        raw = json.dumps(body).encode() if status != 204 else b""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
