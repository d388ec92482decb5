"""What the process that makes documents has given up, and the list of calls that keeps it."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from automations.kit import seccomp

INCLUDE = Path(__file__).resolve().parents[4] / "include"
PROGRAM = """
import ctypes, os, socket, sys
from automations.adapters.documents.confinement import confine
confine(os.getppid(), 20, 1 << 30, 60, 4 << 30)
libc = ctypes.CDLL(None, use_errno=True)
def call(number):
    if libc.syscall(number, 0, 0, 0, 0) == -1:
        raise OSError(ctypes.get_errno(), "")
unix = socket.socket(socket.AF_UNIX)
tries = dict(
    internet=lambda: socket.socket(socket.AF_INET),
    internet6=lambda: socket.socket(socket.AF_INET6),
    netlink=lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    connect=lambda: unix.connect("/nowhere"),
    send=lambda: unix.sendto(b"x", "/nowhere"),
    ring=lambda: call(425),
    leave=lambda: os.setsid(),
    group=lambda: os.setpgid(0, 0),
    mount=lambda: libc.mount(b"a", b"b", b"c", 0, None) == -1 and call(425),
    other_numbers=lambda: call(0x40000000 + 41),
)
for name, attempt in tries.items():
    try:
        attempt()
        print(name, "did")
    except OSError as error:
        print(name, error.errno)
unix.bind("mine")
sys.stdout.flush()
os.execvp(sys.executable, [sys.executable, "-c", "import socket; socket.socket()"])
"""


def test_it_reaches_no_network_and_no_other_process_and_neither_do_its_programs(
    tmp_path: Path,
) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": str(INCLUDE)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    tried = dict(line.split() for line in answer.stdout.splitlines())
    refused = set(tried.values())
    assert (refused, len(tried)) == ({"1"}, 10), tried
    assert "PermissionError" in answer.stderr.splitlines()[-1]


@pytest.mark.parametrize("machine", ["sparc64", "i686", ""])
def test_on_a_processor_that_is_not_known_nothing_is_run(
    machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    for enforce in (seccomp.allow, seccomp.refuse):
        with pytest.raises(OSError, match="cannot be refused on Linux"):
            enforce(("read",))


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64", "loongarch64"])
def test_every_call_has_a_number_on_every_processor_that_is_known(
    machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from automations.adapters.documents import confinement
    from automations.adapters.quickjs import confinement as of_scripts

    monkeypatch.setattr(platform, "machine", lambda: machine)
    _, numbers = seccomp._numbers()
    groups = (confinement._NETWORK, confinement._LEAVING, confinement._OTHER_PROCESSES)
    wanted = {call for group in (*groups, confinement._SYSTEM) for call in group}
    assert wanted | {*of_scripts._NEEDED, "socket"} <= set(numbers)
    assert len(set(numbers.values())) == len(numbers)
