"""The proxy before several servers, as HAProxy itself understands it."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from automations.launcher import probes
from automations.launcher.probes import Blocked
from automations.launcher.proxy import Front, Proxy
from tests.free_ports import free_ports
from tests.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("haproxy") or Path("/usr/sbin/haproxy").exists()),
        reason="HAProxy is not installed",
    ),
]


class Server(ThreadingHTTPServer):
    """Says its number, and from whom it was told that a request comes."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, number: int, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.number = number
        self.posted = 0


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        said = f"{self.server.number} {self.headers['X-Forwarded-For']} {self.headers['Host']}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said.encode())

    def do_POST(self) -> None:
        self.server.posted += 1
        self.close_connection = True  # with no answer, as when it is killed in the middle

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(number: int, port: int) -> Iterator[Server]:
    with Server(number, port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def proxied(home: Path, ports: tuple[int, int]) -> Iterator[str]:
    (front,) = free_ports(1)
    proxy = Proxy(home, [Front("bridge", "127.0.0.1", front, ports, "/readyz")])
    proxy.prepare()
    with subprocess.Popen(proxy.command(), stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{front}"
        finally:
            process.kill()


def who(url: str) -> str | None:
    try:
        answer = requests.get(url, timeout=60)
    except requests.RequestException:
        return None
    return answer.text.split()[0] if answer.ok else None


def test_a_server_that_is_gone_costs_no_request_and_one_that_is_back_is_asked_again(
    tmp_path: Path,
) -> None:
    one, two = free_ports(2)
    with proxied(tmp_path, (one, two)) as url, serving(1, one):
        until("the first one", lambda: who(url))
        assert {who(url) for _ in range(10)} == {"1"}
        with serving(2, two):
            until("the second one", lambda: who(url) == "2" or None)
        assert {who(url) for _ in range(10)} == {"1"}


def test_what_a_server_may_have_begun_is_sent_to_no_other(tmp_path: Path) -> None:
    one, two = free_ports(2)
    with proxied(tmp_path, (one, two)) as url, serving(1, one) as first, serving(2, two) as second:
        until("both", lambda: {who(url) for _ in range(4)} == {"1", "2"} or None)
        answer = requests.post(url, json={}, timeout=60)
        assert answer.status_code == 502
        assert first.posted + second.posted == 1


def test_servers_are_told_who_asks_and_for_which_host(tmp_path: Path) -> None:
    one, two = free_ports(2)
    with proxied(tmp_path, (one, two)) as url, serving(1, one):
        until("the server", lambda: who(url))
        forged = {"X-Forwarded-For": "10.0.0.1", "Host": "automations.example.com"}
        said = requests.get(url, headers=forged, timeout=60).text.split()
        # What the client says of itself comes first; who trusts the proxy reads the last one.
        assert said[1:] == ["10.0.0.1", "automations.example.com"]


def test_it_works_when_there_is_somebody_behind_it(tmp_path: Path) -> None:
    one, two = free_ports(2)
    assert not probes.proxy([f"http://127.0.0.1:{one}"])(0)
    with proxied(tmp_path, (one, two)) as url:
        probe = probes.proxy([url])

        def blocked() -> bool | None:
            try:
                probe(0)
            except Blocked:
                return True
            return None

        until("it to say that nobody is there", blocked)
        with serving(1, one):
            until("the server", lambda: who(url))
            assert probe(0)
