"""Limits of client connections: sizes and times before a request is complete.

The server beneath bounds neither: heads without an end, requests behind requests that nobody waits
for, and clients that say nothing would take the memory, the event loop or the last file descriptor.
"""

from __future__ import annotations

import asyncio
import json
from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api_bridge.client_address import is_in
from api_bridge.error_bodies import error_body
from automations.kit.ids import new_id
from automations.kit.networks import network
from automations.settings import get_settings

MAX_HEAD_BYTES = 65_536
"""Of a request's line and headers; also of what surrounds the pieces of its body."""
MAX_PIPELINED = 16
"""Requests behind the one that is carried out: clients of today send none."""
MAX_CONNECTIONS, MAX_OF_AN_ADDRESS = 2_000, 500
"""At once, of one process; proxies that a setting names speak for many addresses."""


class Connection(HttpToolsProtocol):
    """One connection of a client."""

    HEAD_SECONDS = 30.0
    """For a request's head, however much of it has come; and before that for its first byte."""
    WRITE_SECONDS = 60.0
    """In which a client must take something of an answer that waits for it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._loose = 0
        """Bytes that have come since the last that were of use: a whole head, a piece of a body."""
        self._head_timer: TimerHandle | None = None
        self._write_timer: TimerHandle | None = None
        self.network: str | None = None
        """Whose connection it is, for what is counted for each."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if self._is_too_many():
            transport.abort()
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop(self._head_timer)
        self._stop(self._write_timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._loose += len(data)
        super().data_received(data)
        if len(self.pipeline) > MAX_PIPELINED:
            self.transport.abort()
        elif self._loose > 2 * MAX_HEAD_BYTES:
            self._refuse_head()

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD_BYTES:
            self._refuse_head()
            return
        self._loose = 0
        self._stop(self._head_timer)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._loose = 0
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.pipeline and not self.transport.is_closing():
            self._await_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._stop(self._write_timer)
        super().resume_writing()

    def _is_too_many(self) -> bool:
        if len(self.connections) > MAX_CONNECTIONS:
            return True
        if self.client is None or is_in(self.client[0], get_settings().trusted_proxies):
            return False
        self.network = network(self.client[0])
        same = [
            connection
            for connection in self.connections
            if getattr(connection, "network", "") == self.network
        ]
        return len(same) > MAX_OF_AN_ADDRESS

    def _await_head(self) -> None:
        self._stop(self._head_timer)
        self._head_timer = self.loop.call_later(self.HEAD_SECONDS, self.transport.abort)

    def _await_reader(self, left: int) -> None:
        self._write_timer = self.loop.call_later(self.WRITE_SECONDS, self._look_for_reader, left)

    def _look_for_reader(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left < before:
            self._await_reader(left)
        else:
            self.transport.abort()

    def _refuse_head(self) -> None:
        error = f"The request line and headers are over {MAX_HEAD_BYTES} bytes."
        body, kind = error_body("", 431, error, "HEADERS_TOO_LARGE", new_id())
        content = json.dumps(body).encode()
        head = (
            "HTTP/1.1 431 Request Header Fields Too Large\r\n"
            f"content-type: {kind}\r\ncontent-length: {len(content)}\r\nconnection: close\r\n\r\n"
        )
        # What has begun to be answered cannot be answered otherwise.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(head.encode() + content)
        self.transport.close()

    @staticmethod
    def _stop(timer: TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
