"""An HTTP transport with one deadline for everything that its connections do.

A timeout of the library's is for one piece of an answer: whoever sends a byte now and then (of a
status line, of headers, of the frames of what is packed) would hold us for as long as they like.
Here each read and write has what is left until the deadline.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

LOCATIONS = "automations.locations"
"""The extension of an answer that has the values of its Location headers."""


class DeadlineTransport(httpx.HTTPTransport):
    """Speaks to services directly, by no proxy, until a moment.

    Args:
        deadline: of ``time.monotonic``.
    """

    def __init__(self, trusted: ssl.SSLContext, deadline: float) -> None:
        super().__init__(verify=trusted, trust_env=False)
        # The library offers no other way to give a backend to the pool that it makes.
        self._pool = httpcore.ConnectionPool(
            ssl_context=trusted, network_backend=_Backend(deadline)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Make a request; where it leads on is in the answer's ``extensions`` alone.

        The library looks at a Location in any answer, followed or not, and fails with one that it
        cannot read; several it makes one address of.
        """
        response = super().handle_request(request)
        response.extensions[LOCATIONS] = response.headers.get_list("location")
        response.headers.pop("location", None)
        return response


class _Backend(httpcore.NetworkBackend):
    def __init__(self, deadline: float) -> None:
        self._inner = httpcore.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _time_left(self._deadline, httpcore.ConnectTimeout)
        stream = self._inner.connect_tcp(host, port, left, local_address, socket_options)
        return _Stream(stream, self._deadline)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _time_left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In pieces, since the time is given for each part that the other side has taken.
        for start in range(0, len(buffer), _CHUNK_SIZE):
            piece = buffer[start : start + _CHUNK_SIZE]
            self._inner.write(piece, _time_left(self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _time_left(self._deadline, httpcore.ConnectTimeout)
        stream = self._inner.start_tls(ssl_context, server_hostname, left)
        return _Stream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


_CHUNK_SIZE = 65_536


def _time_left(deadline: float, ended: type[httpcore.TimeoutException]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise ended
    return left
