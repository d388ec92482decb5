"""A local server that says a little now and then, and never ends."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Talk = Callable[[socketserver.StreamRequestHandler, threading.Event], None]
"""Says something to a client, until an event is set."""


@contextmanager
def talking(talk: Talk) -> Iterator[int]:
    """Serve whoever connects; gives the port."""
    stopping = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                talk(self, stopping)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield int(server.server_address[1])
        finally:
            stopping.set()
            server.shutdown()
            serving.join()


@contextmanager
def dripping(first: bytes, drop: bytes, pause: float = 0.05) -> Iterator[int]:
    """Serve answers that begin with one text, and go on with another for ever; gives the port."""

    def talk(client: socketserver.StreamRequestHandler, stopping: threading.Event) -> None:
        client.wfile.write(first)
        while not stopping.wait(pause):
            client.wfile.write(drop)

    with talking(talk) as port:
        yield port
