"""Carries committed work to Airflow: matches events, creates DagRuns, delivers answers.

Any number of dispatchers may run, in bridges or alone; what one had claimed when it died is
carried by another some seconds later. Delivery to Airflow is at-least-once: the run's id is the
DagRun's id, so a second start changes nothing.
"""

from __future__ import annotations

import logging
import secrets
import select
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from automations import logs
from automations.db import jobs
from automations.db.session import raw_connection, unit_of_work
from automations.db.tables import Job
from automations.deliveries import Deliveries
from automations.errors import NotVisibleYet, OrchestratorUnavailable, StepError
from automations.housekeeping import Housekeeper
from automations.ports import Orchestrator, Ports
from automations.reconciler import Reconciler

log = logging.getLogger(__name__)

_WORKERS = 4
_SLOW = 2
_BATCH = 8
_IDLE = 5.0
_IDLE_SLOWLY = 1.0
_GATHERING = 0.01
"""Seconds in which further notifications wake nobody anew: in a burst there is one per commit."""
_LOOK_FOR_ABANDONED = 5.0
_MOST_FAILURES = 12
_MOST_DELAY = timedelta(seconds=10)


class Dispatcher:
    """The threads of one dispatcher process."""

    def __init__(self, orchestrator: Orchestrator, ports: Ports) -> None:
        self._deliveries = Deliveries(orchestrator, ports)
        self._reconciler = Reconciler(orchestrator)
        self._housekeeper = Housekeeper(orchestrator)
        self._holder = secrets.randbelow(2**31)
        self._attending = threading.Event()
        self._stopping = threading.Event()
        self._wake = threading.Condition()
        self._signals = 0
        self._threads = [
            threading.Thread(target=self._loop, args=(target,), name=name, daemon=True)
            for name, target in (
                ("dispatcher-listener", self._listen),
                ("dispatcher-reconciler", lambda: self._reconciler.run(self._stopping)),
                ("dispatcher-housekeeper", lambda: self._housekeeper.run(self._stopping)),
                *((f"dispatcher-{number}", self._work) for number in range(_WORKERS)),
                *((f"dispatcher-slow-{number}", self._work_slowly) for number in range(_SLOW)),
            )
        ]

    def start(self) -> None:
        """Begin to work; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is in hand and end."""
        self._stopping.set()
        self._attending.set()
        self._signal(_WORKERS)
        for thread in self._threads:
            thread.join(timeout=10)

    def _loop(self, body: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                body()
            except Exception:  # the database may be away; nothing is lost, so go on
                log.exception("%s goes on after an error", threading.current_thread().name)
                self._stopping.wait(1)

    def _signal(self, workers: int = 1) -> None:
        with self._wake:
            self._signals += 1
            self._wake.notify(workers)

    def _listen(self) -> None:
        connection = raw_connection()
        try:
            connection.autocommit = True
            jobs.attend(connection, self._holder)
            self._attending.set()
            self._signal(_WORKERS)  # what was committed before that
            looked = 0.0
            while not self._stopping.is_set():
                if time.monotonic() - looked > _LOOK_FOR_ABANDONED:
                    with unit_of_work() as session:
                        jobs.release_abandoned(session, self._holder)
                    looked = time.monotonic()
                if select.select([connection], [], [], 1)[0]:
                    connection.poll()
                    if connection.notifies:
                        connection.notifies.clear()
                        self._signal()
                        self._stopping.wait(_GATHERING)
        finally:
            self._attending.clear()
            connection.close()

    def _work(self) -> None:
        if not self._attending.wait(_IDLE):
            return  # what it claimed now would pass for abandoned
        seen = self._signals
        with unit_of_work() as session:
            claimed = jobs.claim(session, _BATCH, holder=self._holder)
            pause = None if claimed else jobs.seconds_to_next(session)
        if len(claimed) == _BATCH:
            self._signal()  # there may be more, for another worker
        for job in claimed:
            self._carry(job)
        if not claimed:
            with self._wake:
                if seen == self._signals:
                    self._wake.wait(_IDLE if pause is None else min(max(pause, 0.01), _IDLE))

    def _work_slowly(self) -> None:
        """Carry one job that may take long, so that no other one waits for its end."""
        if not self._attending.wait(_IDLE):
            return
        with unit_of_work() as session:
            claimed = jobs.claim(session, 1, slow=True, holder=self._holder)
            pause = None if claimed else jobs.seconds_to_next(session, slow=True)
        for job in claimed:
            self._carry(job)
        if not claimed:
            # Nothing wakes it: the others' signals are not for these.
            self._stopping.wait(
                _IDLE_SLOWLY if pause is None else min(max(pause, 0.01), _IDLE_SLOWLY)
            )

    def _carry(self, job: Job) -> None:
        with logs.bound(jobId=str(job.id), subjectId=job.subject_id):
            self._try(job)

    def _try(self, job: Job) -> None:
        try:
            self._deliveries.carry(job)
        except NotVisibleYet as error:
            self._again(job, _patience(job), error.message, counts=False)
        except OrchestratorUnavailable as error:
            delay = min(timedelta(seconds=0.5) * 2 ** min(job.claims, 6), _MOST_DELAY)
            self._again(job, delay, error.message, counts=False)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            final = isinstance(error, StepError) and not error.retryable
            log.warning("Job %s failed: %s", job.kind, message, exc_info=True)
            if final or job.failures + 1 >= _MOST_FAILURES:
                self._deliveries.give_up(job, message)
            else:
                wished = error.retry_after if isinstance(error, StepError) else None
                delay = wished or timedelta(seconds=2 ** min(job.failures, 8))
                self._again(job, delay, message, counts=True)

    @staticmethod
    def _again(job: Job, delay: timedelta, error: str, *, counts: bool) -> None:
        with unit_of_work() as session:
            jobs.again(session, job, delay, error, counts=counts)


def _patience(job: Job) -> timedelta:
    """How soon to look again for a DAG that is about to be parsed: often at first."""
    age = datetime.now(UTC) - job.created_at
    return min(max(timedelta(seconds=0.1), age / 10), _MOST_DELAY)
