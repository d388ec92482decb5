"""Ports on the loopback that nobody uses, for servers that tests and benches start."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack


def free_port() -> int:
    """One that is free now."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """As many, all different: each is held until all are found."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def free_row(count: int) -> int:
    """The first of as many that follow each other."""
    while True:
        first = random.randrange(20_000, 30_000)  # below those that systems choose themselves
        with ExitStack() as probes:
            try:
                for port in range(first, first + count):
                    probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
