"""The process of a task ends with the one that watches over it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from automations.launcher import processes
from tests.waiting import until


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux ends a process with its parent.")
def test_a_task_ends_with_the_process_that_watches_over_it_and_what_it_forks_does_not() -> None:
    forking = subprocess.Popen(
        [sys.executable, "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with forking as watching:
        assert watching.stdin is not None
        assert watching.stdout is not None
        pids = [int(watching.stdout.readline()) for _ in range(3)]
        task, forked = (pid for pid in pids if pid != watching.pid)
        watching.kill()
        until("the end of the task", lambda: len(living(task, forked)) == 1)
        watching.stdin.write("on")
        watching.stdin.flush()
        assert watching.stdout.readline() == "o"


FORKS = """
import os
from automations_airflow.executors import orphans
orphans.prevent()
for _ in range(2):
    if os.fork() != 0:
        break
os.write(1, b"%d\\n" % os.getpid())
os.write(1, os.read(0, 1))
"""
"""Who watches over a task, the task, and what that has forked: each lives until it is told more."""


def living(*pids: int) -> set[int]:
    return {pid for pid in pids if processes.is_alive(pid, processes.create_time(pid))}
