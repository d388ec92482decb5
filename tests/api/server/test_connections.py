"""Connections: what a client sends without an end is cut off, and who says nothing is let go."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import ClassVar

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_bridge import __main__
from api_bridge.server import connections
from api_bridge.server.connections import MAX_HEAD_BYTES, MAX_PIPELINED, Connection
from tests.api.served import HEALTH, TIMEOUT, asked, heard, serving
from tests.environment import Environment
from tests.hostile.connections import ENDLESS, SILENT


class Hasty(Connection):
    """A connection that does not wait as long."""

    HEAD_SECONDS = 0.5
    WRITE_SECONDS = 0.5
    lost: ClassVar = threading.Event()
    """Whether one has ended."""

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost.set()


class Unhurried(Hasty):
    """One that waits long enough for a reader who gets a processor only now and then."""

    WRITE_SECONDS = 3.0


@pytest.fixture
def hasty(
    app: FastAPI, database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, int]]:
    monkeypatch.setenv("AUTOMATIONS_DISPATCHER", "off")
    Hasty.lost.clear()
    with serving(app, Hasty) as place:
        yield place


@pytest.mark.parametrize(("begins", "goes_on"), ENDLESS.values(), ids=ENDLESS)
def test_what_has_no_end_is_cut_off(here: tuple[str, int], begins: bytes, goes_on: bytes) -> None:
    with socket.create_connection(here, TIMEOUT) as connection:
        sent = 0
        with suppress(ConnectionError):
            connection.sendall(begins)
            # The system's own buffers on both sides take some megabytes.
            while sent < 40_000_000:
                connection.sendall(goes_on)
                sent += len(goes_on)
        assert sent < 40_000_000
    assert asked(here, HEALTH).startswith(b"HTTP/1.1 200")


def test_a_head_that_is_too_large_is_refused_in_words(here: tuple[str, int]) -> None:
    fits = b"X-A: " + b"a" * (MAX_HEAD_BYTES - 1_000) + b"\r\n\r\n"
    over = b"X-A: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n"
    assert asked(here, HEALTH[:-2] + fits).startswith(b"HTTP/1.1 200")
    refused = asked(here, HEALTH[:-2] + over)
    assert refused.startswith(b"HTTP/1.1 431 ")
    assert b'"code": "HEADERS_TOO_LARGE"' in refused


def test_some_requests_may_come_before_the_first_is_answered(here: tuple[str, int]) -> None:
    last = HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with socket.create_connection(here, TIMEOUT) as connection:
        connection.sendall(HEALTH * MAX_PIPELINED + last)
        assert heard(connection).count(b"HTTP/1.1 200") == MAX_PIPELINED + 1


@pytest.mark.parametrize("said", SILENT.values(), ids=SILENT)
def test_who_says_nothing_more_is_let_go(hasty: tuple[str, int], said: bytes) -> None:
    with socket.create_connection(hasty, TIMEOUT) as connection:
        connection.sendall(said)
        assert heard(connection).count(b"HTTP/1.1 ") == (b"\r\n\r\n" in said)


def test_who_goes_on_slowly_is_let_go_too(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, TIMEOUT) as connection, suppress(ConnectionError):
        connection.sendall(HEALTH)
        assert connection.recv(65_536)
        for letter in HEALTH * 10:  # far longer than a head may take
            connection.sendall(bytes([letter]))
            time.sleep(0.02)
        raise AssertionError("nobody was let go")


def reader_of_little(place: tuple[str, int]) -> socket.socket:
    """A connection for which the system takes less than an answer."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.settimeout(TIMEOUT)
    connection.connect(place)
    return connection


def test_who_reads_slowly_is_not_let_go(
    app: FastAPI, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMATIONS_DISPATCHER", "off")
    request = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    began = time.monotonic()
    with serving(app, Unhurried) as place, reader_of_little(place) as connection:
        connection.sendall(request)
        whole = b""
        while part := connection.recv(8_192):
            whole += part
            time.sleep(0.1)
    assert time.monotonic() - began > 1.5 * Unhurried.WRITE_SECONDS
    announced = int(whole.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert len(whole.partition(b"\r\n\r\n")[2]) == announced


def test_of_one_address_there_are_no_more_than_its_share(
    here: tuple[str, int], monkeypatch: pytest.MonkeyPatch, environment: Environment
) -> None:
    monkeypatch.setattr(connections, "MAX_OF_AN_ADDRESS", 3)
    held = [socket.create_connection(here, TIMEOUT) for _ in range(3)]
    try:
        assert asked(here, HEALTH) == b""
        with socket.create_connection(here, TIMEOUT, ("127.0.0.2", 0)) as other:
            other.sendall(HEALTH)
            assert other.recv(65_536).startswith(b"HTTP/1.1 200")
        held.pop().close()
        until_answered(here)
        monkeypatch.setattr(connections, "MAX_OF_AN_ADDRESS", 0)
        environment.set(AUTOMATIONS_TRUSTED_PROXIES="127.0.0.0/8")
        assert asked(here, HEALTH).startswith(b"HTTP/1.1 200")
        monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
        assert asked(here, HEALTH) == b""
    finally:
        for one in held:
            one.close()


def test_who_never_reads_is_let_go(hasty: tuple[str, int]) -> None:
    request = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with reader_of_little(hasty) as connection:
        # More than the system takes for itself, in answers of which each waits for the last.
        connection.sendall(request * MAX_PIPELINED)
        assert Hasty.lost.wait(TIMEOUT)
        assert heard(connection).count(b"HTTP/1.1 200") < MAX_PIPELINED


def until_answered(place: tuple[str, int]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not asked(place, HEALTH):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_process_may_have_as_many_files_as_it_takes_connections() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        __main__.allow_files(2_000)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (2_000, before[1])
        __main__.allow_files(100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (2_000, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


PIECES = st.sampled_from(
    [
        *(
            b"GET / HTTP/1.1\r\n",
            b"POST /api/session HTTP/1.1\r\n",
            b"Host: 127.0.0.1\r\n",
            b"\r\n",
        ),
        *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"5\r\nabcde\r\n", b"0\r\n"),
        *(
            b"Connection: close\r\n",
            b"Expect: 100-continue\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"\0",
            b"\xff",
        ),
        *(
            b"Content-Type: application/json\r\n",
            b'{"email": 1}',
            b": ",
            b"\n",
            b"PRI * HTTP/2.0\r\n",
        ),
    ]
) | st.binary(max_size=8)


@given(said=st.lists(PIECES, max_size=12))
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_is_said_is_no_failure_of_ours(here: tuple[str, int], said: list[bytes]) -> None:
    with socket.create_connection(here, TIMEOUT) as connection:
        with suppress(ConnectionError):
            connection.sendall(b"".join(said))
            connection.shutdown(socket.SHUT_WR)
        for line in heard(connection).split(b"\r\n"):
            assert not line.startswith(b"HTTP/1.1 5"), said
