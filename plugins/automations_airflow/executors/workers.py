"""The executor's worker processes: each has its own pipe, and one workload at a time.

Processes share no lock, so that one that is killed cannot block the others.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.util import register_after_fork
from pathlib import Path
from typing import Any

import psutil
from setproctitle import setproctitle

from automations_airflow.executors import orphans
from automations_airflow.executors.task_ends import watch
from automations_airflow.tasks.retries import DEATHS

log = logging.getLogger(__name__)

Run = Callable[..., Any]
"""Carries out a workload, and returns or raises when it is over.

It returns ``SETTLED`` if Airflow's tables say already what it came to.
"""
SETTLED = 256
"""No process ends with this code."""

NICENESS = 5
"""With this, the scheduler, which everybody waits for, gets three times a task's share of CPU."""

OOM_SCORE = 300
"""If memory is short, the kernel kills a task rather than the scheduler or PostgreSQL."""

_MAX_ERROR = 1_000
"""Characters: a message fits into the pipe at once, so that no reader waits for the rest."""

_TITLE = "airflow worker --"


@dataclass(frozen=True, slots=True)
class WorkloadStarted:
    """A worker's first message about a workload: from here on, it may have begun."""


@dataclass(frozen=True, slots=True)
class WorkloadEnded:
    """A worker's last message about a workload: its process has ended.

    Args:
        error: why it could not be carried out.
        killed: whether a signal that was not Airflow's own has ended its process.
        settled: whether Airflow's tables say already how it ended.
        last: whether the worker ends, too.
    """

    error: str | None = None
    killed: bool = False
    settled: bool = False
    last: bool = False


class WorkerSpent(Exception):
    """A workload is over, and its worker's state cannot be trusted, so the worker must end, too."""


class Worker:
    """A worker process as the executor sees it.

    Args:
        run: carries out a workload, in the worker's process.
    """

    def __init__(self, run: Run) -> None:
        self.workload: Any = None
        """Its workload; None while it is idle."""
        self.deaths = 0
        """The number of deaths that it was told with the workload."""
        self.taken = False
        """Whether it has acknowledged the workload."""
        self.since = 0.0
        """When it was handed the workload, by the monotonic clock."""
        self._pipe, theirs = multiprocessing.Pipe()
        # A worker with a copy of our end would never notice that this process has died.
        register_after_fork(self._pipe, Connection.close)
        self._process = multiprocessing.Process(target=_work, args=(theirs, run))
        with _frozen_garbage():
            self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid or 0

    @property
    def exit_code(self) -> int | None:
        """Its exit code, negative if a signal ended it; None while it lives.

        This polls the process: a task's process that outlives the worker keeps the worker's end of
        every pipe open, including the one by which multiprocessing notices ends.
        """
        return self._process.exitcode

    def hand(self, workload: Any, deaths: int) -> bool:
        """Hand it a workload; False if it is dead.

        Args:
            deaths: how many processes of this task were killed since it was last handed out.
        """
        try:
            self._pipe.send((workload, deaths))
        except OSError:
            return False
        self.workload, self.deaths, self.taken = workload, deaths, False
        self.since = time.monotonic()
        return True

    def words(self) -> Iterator[WorkloadStarted | WorkloadEnded]:
        """What it has said since it was last listened to."""
        with suppress(EOFError, OSError):
            while self._pipe.poll():
                word = self._pipe.recv()
                if isinstance(word, WorkloadStarted):
                    self.taken = True
                yield word

    def kill(self) -> None:
        """End it at once, with the task that it has begun."""
        with suppress(psutil.Error):
            # The task first: without its worker it is nobody's child any more.
            for process in psutil.Process(self.pid).children(recursive=True):
                with suppress(psutil.Error):
                    process.kill()
        self._process.kill()

    def reap(self) -> None:
        """Wait for its end, and forget it."""
        self._process.join()
        self._process.close()
        self._pipe.close()


@contextmanager
def _frozen_garbage() -> Iterator[None]:
    """Keep a fork from touching, and so copying, all that was there before it."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _work(pipe: Connection, run: Run) -> None:
    """Carry out what comes by the pipe until it is closed: the life of a worker."""
    # The scheduler decides when workers end, not whoever presses Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield_to_others()
    orphans.prevent()
    with suppress(EOFError, OSError):
        while True:
            set_idle_title()
            workload, deaths = pipe.recv()
            pipe.send(WorkloadStarted())
            # Read by the task's process, which is a fork of this one.
            os.environ[DEATHS] = str(deaths)
            ended = _carry_out(workload, run)
            pipe.send(ended)
            if ended.last:
                return


def _carry_out(workload: Any, run: Run) -> WorkloadEnded:
    try:
        with watch() as is_death:
            code = run(workload, proctitle=f"{_TITLE} {workload.display_name}")
    except WorkerSpent:
        return WorkloadEnded(last=True)
    except Exception as error:
        log.exception("Cannot carry out %s", workload.display_name)
        return WorkloadEnded(f"{type(error).__name__}: {error}"[:_MAX_ERROR])
    return WorkloadEnded(killed=is_death(code), settled=code == SETTLED)


def set_idle_title() -> None:
    """Have the process named as one that carries out nothing."""
    if sys.platform != "darwin":  # where it is not safe after a fork
        setproctitle(f"{_TITLE} <idle>")


def yield_to_others() -> None:
    """Let the scheduler, and what matters more, have the machine first."""
    os.nice(NICENESS)
    with suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
