"""A local HTTP server that keeps what it is sent and answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import ThreadingHTTPServer
from typing import Any

from tests.servers.prompt_handler import PromptHandler


class Answering:
    """The other side of a client; tests give it a name and the shapes that it answers in."""

    def __init__(self) -> None:
        self.status = 200
        self.body: bytes = b""
        self.headers: dict[str, str] = {}
        self.let_go = threading.Event()
        """Cleared, it keeps everybody waiting for an answer."""
        self.let_go.set()
        self.before: list[tuple[int, dict[str, str]]] = []
        """Statuses and headers of the answers that come first; status 0 hangs up."""
        self.seen: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        told = self

        class Handler(PromptHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                told.seen.append((self.path, headers, json.loads(body or b"{}")))
                told.let_go.wait()
                if told.before:
                    self._refuse(*told.before.pop(0))
                    return
                # The client may have hung up, which is what some tests are about.
                with suppress(ConnectionError):
                    self.send_response(told.status)
                    for name, value in told.headers.items():
                        self.send_header(name, value)
                    if "Content-Type" not in told.headers:
                        self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(told.body)))
                    self.end_headers()
                    self.wfile.write(told.body)

            do_GET = do_PATCH = do_POST

            def _refuse(self, status: int, headers: dict[str, str]) -> None:
                if status:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"

    def answers(self, body: Any, status: int = 200, **headers: str) -> None:
        self.status, self.headers = status, {k.replace("_", "-"): v for k, v in headers.items()}
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()

    @property
    def last(self) -> dict[str, Any]:
        """The body that came last."""
        return self.seen[-1][2]

    @contextmanager
    def listening(self) -> Iterator[None]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            self.let_go.set()
            self.server.shutdown()
            self.server.server_close()
            thread.join()
