"""The form in which the chaos suite is run, and the stack that it is run against."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack
from tests.e2e.counterparts import Counterparts
from tests.servers.collector import Collector

QUOTA = "1500m"
"""Room for a home of a few hundred runs, with PostgreSQL's journal."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--whole", action="store_true", help="Every fault, under 300 runs.")
    group.addoption("--seed", type=int, help="Repeat a run of the whole suite: it prints its seed.")
    group.addoption("--runs", type=int, help="Instead of 300, or 40 in the short form.")


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home on a file system of its own, where that may be made."""
    folder = tmp_path_factory.mktemp("chaos")
    with _mounted(folder):
        yield folder / "home"


@contextmanager
def _mounted(folder: Path) -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    command = ["mount", "-t", "tmpfs", "-o", f"size={QUOTA}", "chaos", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def stack(home: Path) -> Iterator[Stack]:
    counterparts, collector = Counterparts(), Collector()
    counterparts.start()
    home.mkdir()
    running = Stack(home, counterparts, collector)
    with collector.listening():
        try:
            running.up()
            yield running
        finally:
            with suppress(subprocess.TimeoutExpired):
                running.down()
            counterparts.stop()
