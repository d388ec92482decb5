"""The bridge behind connections of its own kind, and what is said to it byte by byte."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from api_bridge.server.connections import Connection

TIMEOUT = 60.0
"""Seconds: a machine may be as busy as it likes."""
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@contextmanager
def serving(app: FastAPI, kind: type[Connection]) -> Iterator[tuple[str, int]]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        place = listening.getsockname()
        config = uvicorn.Config(app, log_level="critical", http=kind, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield place
        finally:
            server.should_exit = True
            thread.join(30)


def heard(connection: socket.socket) -> bytes:
    """All that the other side says until it ends."""
    parts = []
    with suppress(ConnectionError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def asked(place: tuple[str, int], request: bytes) -> bytes:
    """The first piece of an answer; nothing when there is none."""
    with socket.create_connection(place, TIMEOUT) as connection, suppress(ConnectionError):
        connection.sendall(request)
        return connection.recv(65_536)
    return b""
