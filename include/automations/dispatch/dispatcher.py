"""Handles the queue's jobs: matches events, creates DagRuns, delivers answers to Airflow.

Any number of dispatchers may run, in bridges or alone; the jobs of one that dies are handled by
another some seconds later. Delivery to Airflow is at-least-once: the run's id is the DagRun's id,
so a second start changes nothing.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Sequence
from datetime import timedelta

from automations.db.queue import jobs
from automations.db.session import RawConnection, raw_connection, unit_of_work
from automations.db.tables import Job
from automations.dispatch import slow_work, threads
from automations.dispatch.breaker import Breaker
from automations.dispatch.capacity import Capacity
from automations.dispatch.claims import ALL_KINDS, LIMITED_KINDS, SLOW_KINDS, Claims
from automations.dispatch.coalescing import Coalescing
from automations.dispatch.housekeeping import Housekeeper
from automations.dispatch.jobs.registry import HANDLERS, Handlers
from automations.dispatch.reconciler import Reconciler
from automations.dispatch.slow_work import SlowWork
from automations.errors import (
    AutomationsError,
    DatabaseUnavailable,
    NotVisibleYet,
    OrchestratorError,
    OrchestratorUnavailable,
    StepError,
)
from automations.kit import common_clock, logs
from automations.kit.storable import sanitize
from automations.ports import Orchestrator, Ports
from automations.settings import get_settings

log = logging.getLogger(__name__)

_WORKERS = 4
"""They mostly wait for Airflow's API, which answers a few starts at a time."""
_IDLE_TIMEOUT = 20.0
"""Seconds; only a safety net, since whoever adds a job wakes a worker."""
_MIN_PAUSE = 0.01
"""Seconds: a job that is due by the database's clock need not be due by this machine's."""
_ABANDONED_INTERVAL = 5.0
"""Seconds between two searches for the jobs of dispatchers that have died."""
_EXPRESS_BATCH_SIZE = 100
"""Express runs that are given to Airflow at once if there is no express worker."""
_CAPACITY_INTERVAL = 0.25
"""Seconds between two counts of the runs in Airflow; nothing notifies us when one leaves it."""
_SHUTDOWN_TIMEOUT = 10.0
"""Seconds for jobs in flight; the next dispatcher does those again that take longer."""
_MAX_FAILURES = 12
"""With delays that double, a job is given up after about a quarter of an hour."""
_MAX_DELAY = timedelta(seconds=10)
"""The longest time until we notice that Airflow is back, or that it has parsed a DAG."""


class Dispatcher:
    """The threads of one dispatcher process.

    Args:
        name: by which it is known to be there.
    """

    def __init__(self, orchestrator: Orchestrator, ports: Ports, name: str | None = None) -> None:
        self._name = name
        self._handlers = Handlers(orchestrator, ports)
        self._reconciler = Reconciler(orchestrator)
        self._housekeeper = Housekeeper(orchestrator)
        self._breaker = Breaker()
        self._capacity = Capacity(get_settings().max_runs_in_airflow, LIMITED_KINDS)
        self._claims = Claims(self._breaker, self._capacity)
        self._coalescing = Coalescing()
        self._slow = SlowWork(SLOW_KINDS)
        self._registered = threading.Event()
        # One worker is always left for jobs that do not need Airflow, however slow that is.
        self._airflow_workers = threading.Semaphore(_WORKERS - 1)
        self._stopping = threading.Event()
        self._wake = threading.Condition()
        self._signals = 0
        self._threads = [
            threading.Thread(
                target=threads.repeat, args=(target, self._stopping), name=name, daemon=True
            )
            for name, target in (
                ("dispatcher-listener", self._listen),
                ("dispatcher-reconciler", lambda: self._reconciler.run(self._stopping)),
                ("dispatcher-housekeeper", lambda: self._housekeeper.run(self._stopping)),
                *((f"dispatcher-{number}", self._work) for number in range(_WORKERS)),
                *(
                    (f"dispatcher-slow-{number}", self._work_on_slow)
                    for number in range(slow_work.WORKERS)
                ),
            )
        ]

    def start(self) -> None:
        """Begin to work; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is in flight and end."""
        self._stopping.set()
        # Releases the workers that wait for the listener.
        self._registered.set()
        self._signal(_WORKERS)
        self._slow.signal(slow_work.WORKERS)
        until = time.monotonic() + _SHUTDOWN_TIMEOUT
        for thread in self._threads:
            thread.join(timeout=max(until - time.monotonic(), 0))

    @property
    def reaches_airflow(self) -> bool:
        """Whether Airflow answered when it was last asked, as far as is known."""
        return not self._breaker.is_open

    def _signal(self, workers: int = 1) -> None:
        with self._wake:
            self._signals += 1
            self._wake.notify(workers)

    def _listen(self) -> None:
        connection = raw_connection()
        try:
            connection.autocommit = True
            jobs.register(connection, self._claims.holder, name=self._name)
            # Some claims may have been lost together with the previous connection.
            job_ids = self._claims.in_flight | self._slow.in_flight
            with unit_of_work() as session:
                jobs.release_unknown(session, self._claims.holder, job_ids)
            self._registered.set()
            self._signal(_WORKERS)  # what was committed before that
            self._slow.signal()
            looked = looked_for_room = 0.0
            while not self._stopping.is_set():
                if time.monotonic() - looked > _ABANDONED_INTERVAL:
                    with unit_of_work() as session:
                        jobs.release_abandoned(session, self._claims.holder)
                    looked = 0.0 if self._stand_in_for_express() else time.monotonic()
                is_full = self._capacity.is_full
                if is_full and time.monotonic() - looked_for_room > _CAPACITY_INTERVAL:
                    if self._capacity.has_room():
                        self._signal()
                    looked_for_room = time.monotonic()
                timeout = _CAPACITY_INTERVAL if is_full else 1.0
                self._receive(connection, timeout if looked else 0)
        finally:
            self._registered.clear()
            connection.close()

    def _receive(self, connection: RawConnection, timeout: float) -> None:
        """Wait for notifications, and wake the workers that they concern."""
        if not select.select([connection], [], [], timeout)[0]:
            return
        connection.poll()
        if payloads := {notify.payload for notify in connection.notifies}:
            connection.notifies.clear()
            if jobs.SLOW in payloads:
                self._slow.signal()
            if payloads - {jobs.SLOW, jobs.EXPRESS}:
                self._signal()
            self._coalescing.rest(connection, self._stopping)

    def _stand_in_for_express(self) -> bool:
        """Give Airflow some of the runs that wait for express workers, if there are none.

        Returns:
            whether there may be more of them now.
        """
        claimed = self._claims.take_express(_EXPRESS_BATCH_SIZE)
        with self._claims.working_on(claimed):
            for job in claimed:
                self._handle(job)
        return len(claimed) == _EXPRESS_BATCH_SIZE

    def _work(self) -> None:
        if not self._registered.wait(_IDLE_TIMEOUT):
            return  # without the listener's registration, claims would count as abandoned
        seen = self._signals
        with self._breaker.probing() as may_probe:
            if may_probe and self._probe():
                return
        may_ask = self._airflow_workers.acquire(blocking=False)
        try:
            with self._capacity.permits() as permits:
                claimed = self._claims.take(permits, may_ask_airflow=may_ask)
                if len(claimed.jobs) > 1:
                    self._signal()  # there may be more, for another worker
                with self._claims.working_on(claimed.jobs):
                    self._handle_all(claimed.jobs)
        finally:
            if may_ask:
                self._airflow_workers.release()
        if not claimed.jobs:
            awaited = ALL_KINDS if may_probe else claimed.awaited
            with unit_of_work() as session:
                pause = jobs.seconds_to_next(session, awaited)
            self._sleep(seen, pause, None if may_probe else self._breaker.seconds_to_probe())

    def _probe(self) -> bool:
        """Try one job to see whether Airflow is back; False if there is none to try."""
        claimed = self._claims.take_probe()
        with self._claims.working_on(claimed):
            for job in claimed:
                self._handle(job, probe=True)
        return bool(claimed)

    def _handle_all(self, claimed: Sequence[Job]) -> None:
        held_back = []
        todo = [job for job in claimed if not HANDLERS[job.kind].batched]
        batch = [job for job in claimed if HANDLERS[job.kind].batched]
        try:
            if batch:
                self._handle_batch(batch)
            while todo:
                job = todo.pop(0)
                if HANDLERS[job.kind].airflow and self._breaker.is_open:
                    held_back.append(job)
                else:
                    self._handle(job)
        finally:
            # Even while the database is away: otherwise they would only return when leases expire.
            if untried := [*held_back, *todo]:
                threads.persist(lambda session: jobs.release(session, untried), self._stopping)

    def _handle_batch(self, claimed: Sequence[Job]) -> None:
        problems = self._handlers.handle_all(claimed)
        # Successful jobs first: one of them shows that Airflow answers.
        for job in sorted(claimed, key=lambda job: job.id in problems):
            with logs.bound(jobId=str(job.id), subjectId=job.subject_id):
                self._settle(job, problems.get(job.id), probe=False)

    def _sleep(self, seen: int, *pauses: float | None) -> None:
        """Sleep for the shortest of these pauses, or until a worker is signalled."""
        shortest = min([_IDLE_TIMEOUT, *(pause for pause in pauses if pause is not None)])
        with self._wake:
            # After a signal since the last look for work, look again instead.
            if seen == self._signals:
                self._wake.wait(max(shortest, _MIN_PAUSE))

    def _work_on_slow(self) -> None:
        """Handle one slow job."""
        if not self._registered.wait(_IDLE_TIMEOUT):
            return
        seen = self._slow.signals
        job, pause = self._slow.take(self._claims.holder)
        if job is None:
            pause = _IDLE_TIMEOUT if pause is None else pause
            self._slow.sleep(seen, min(max(pause, _MIN_PAUSE), _IDLE_TIMEOUT))
            return
        try:
            self._handle(job)
        finally:
            self._slow.release(job)

    def _handle(self, job: Job, *, probe: bool = False) -> None:
        with logs.bound(jobId=str(job.id), subjectId=job.subject_id):
            problem = None
            try:
                self._handlers.handle(job)
            except Exception as error:  # noqa: BLE001 -- each is told apart below
                problem = error
            self._settle(job, problem, probe)

    def _settle(self, job: Job, problem: Exception | None, probe: bool) -> None:
        """Finish a handled job, or put it back, depending on the problem."""
        try:
            self._conclude(job, problem, probe)
        except DatabaseUnavailable as away:
            threads.put_back(job, away.message, self._stopping)

    def _conclude(self, job: Job, problem: Exception | None, probe: bool) -> None:
        match problem:
            case None:
                self._airflow_answered(job)
            case NotVisibleYet():
                self._airflow_answered(job)
                self._reschedule(job, _reparse_delay(job), problem.message)
            case OrchestratorUnavailable():
                self._breaker.record_failure(job.id, problem.message, probe=probe)
                # The breaker holds the job back, so it need not wait longer once Airflow is back.
                alone = min(timedelta(seconds=0.5) * 2 ** min(job.claims, 6), _MAX_DELAY)
                delay = timedelta(0) if self._breaker.is_open else alone
                self._reschedule(job, delay, problem.message)
                self._signal()  # somebody must wait for the next probe
            case DatabaseUnavailable():
                # Not the job's fault; repeating a part of it is safe.
                threads.put_back(job, problem.message, self._stopping)
            case _:
                self._handle_failure(job, problem)

    def _handle_failure(self, job: Job, problem: Exception) -> None:
        if isinstance(problem, OrchestratorError):
            self._airflow_answered(job)
        is_expected = isinstance(problem, AutomationsError)
        # The message is stored with the job, and servers may send what cannot be stored: a NUL.
        message = sanitize(str(problem) if is_expected else f"{type(problem).__name__}: {problem}")
        # Not retried if no retry can help.
        final = isinstance(problem, StepError) and not problem.retryable
        log.warning("Job %s failed: %s", job.kind, message, exc_info=problem)
        if final or job.failures + 1 >= _MAX_FAILURES:
            self._handlers.give_up(job, message)
        else:
            retry_after = problem.retry_after if isinstance(problem, StepError) else None
            delay = retry_after or timedelta(seconds=2 ** min(job.failures, 8))
            with unit_of_work() as session:
                jobs.retry(session, job, delay, message)

    def _airflow_answered(self, job: Job) -> None:
        if HANDLERS[job.kind].airflow and self._breaker.record_answer():
            self._signal(_WORKERS)

    @staticmethod
    def _reschedule(job: Job, delay: timedelta, error: str) -> None:
        with unit_of_work() as session:
            jobs.reschedule(session, job, delay, error)


def _reparse_delay(job: Job) -> timedelta:
    """How soon to look again for a DAG that is about to be parsed: at first often."""
    age = common_clock.now() - job.created_at
    return min(max(timedelta(seconds=0.1), age / 10), _MAX_DELAY)
