"""A bounded HTTP load: so many requests by so many clients, each with one connection.

Written on bare streams, so that the client takes little of the machine that it measures.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import quantiles
from urllib.parse import urlsplit

from tests.bench.measuring import BenchError

_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] | None = None

    def raw(self, host: str, common: Mapping[str, str]) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}"]
        headers = {**common, **(self.headers or {}), "Content-Length": str(len(self.body))}
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines).encode() + _END + self.body


@dataclass(frozen=True)
class Latencies:
    """What a load came to: milliseconds, and requests a second."""

    p50: float
    p95: float
    p99: float
    rate: float


def measure(
    address: str,
    request: Callable[[int], Request],
    *,
    clients: int,
    requests: int,
    headers: Mapping[str, str],
) -> Latencies:
    """Send the requests, the first with number 0, and wait for every answer.

    Raises:
        BenchError: an answer was not a success.
    """
    return asyncio.run(_measure(address, request, clients, requests, headers))


async def _measure(
    address: str,
    request: Callable[[int], Request],
    clients: int,
    requests: int,
    headers: Mapping[str, str],
) -> Latencies:
    place = urlsplit(address)
    numbers = iter(range(requests))
    seconds: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            for number in numbers:
                raw = request(number).raw(place.netloc, headers)
                began = time.perf_counter()
                writer.write(raw)
                head = await reader.readuntil(_END)
                body = await reader.readexactly(_length(head))
                seconds.append(time.perf_counter() - began)
                if not head.startswith(b"HTTP/1.1 2"):
                    raise BenchError((head + body)[:500].decode("utf-8", "replace"))
        finally:
            writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    took = time.perf_counter() - began
    cuts = quantiles(seconds, n=100)
    return Latencies(cuts[49] * 1e3, cuts[94] * 1e3, cuts[98] * 1e3, requests / took)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise BenchError(f"an answer without its length: {head[:200]!r}")
