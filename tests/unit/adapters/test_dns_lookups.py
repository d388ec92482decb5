"""Lookups of names: bounded in time and in number, whatever name servers do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from automations.adapters.dns_lookups import MAX_LOOKUPS, MAX_OF_A_DOMAIN, resolve_within


class Servers:
    """Name servers that say nothing of some domain until they are let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def resolve(self, host: str, port: int) -> list[str]:
        if host.endswith(".silent.test"):
            self.let_go.wait()
        return ["192.0.2.1"]

    def ask(self, host: str, seconds: float = 0.0) -> list[str]:
        return resolve_within(time.monotonic() + seconds, self.resolve, host, 443)


def waiting() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lookup"]


def join_all() -> None:
    for thread in waiting():
        thread.join()


@pytest.fixture
def servers() -> Iterator[Servers]:
    join_all()  # those that other tests have let go
    made = Servers()
    yield made
    made.let_go.set()
    join_all()


def test_names_of_a_silent_domain_hold_few_threads_and_no_other_name(servers: Servers) -> None:
    for number in range(3 * MAX_OF_A_DOMAIN):
        with pytest.raises(TimeoutError):
            servers.ask(f"n{number}.silent.test")
    assert len(waiting()) == MAX_OF_A_DOMAIN < MAX_LOOKUPS
    assert servers.ask("a.quick.test", 60) == ["192.0.2.1"]


def test_whoever_waits_for_a_place_gets_it_when_one_is_over(servers: Servers) -> None:
    for number in range(MAX_OF_A_DOMAIN):
        with pytest.raises(TimeoutError):
            servers.ask(f"n{number}.silent.test")
    found: list[str] = []
    asker = threading.Thread(target=lambda: found.extend(servers.ask("last.silent.test", 60)))
    asker.start()
    servers.let_go.set()
    asker.join()
    assert found == ["192.0.2.1"]


def test_a_resolver_that_fails_gives_its_place_back(servers: Servers) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError(host)

    for _ in range(2 * MAX_OF_A_DOMAIN):
        with pytest.raises(OSError, match=r"gone\.failing\.test"):
            resolve_within(time.monotonic() + 60, unknown, "gone.failing.test", 443)
    assert servers.ask("gone.failing.test", 60) == ["192.0.2.1"]
